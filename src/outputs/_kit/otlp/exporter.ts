/** Sends OTLP data to a receiver over HTTP or gRPC: https://opentelemetry.io/docs/specs/otlp. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Cancellation, Host } from '../../../core/contract.ts';
import { createGrpcClient } from '../grpc.ts';
import { judge } from '../http.ts';
import { encode, type Message } from '../protobuf.ts';
import { toAbortSignal } from '../settle.ts';
import type { Signal } from './messages.ts';
import { type Rejection, rejectionIn, rejectionInText } from './rejection.ts';
import type { OtlpSettings } from './settings.ts';

const compress = promisify(gzip);

export interface OtlpExporter {
  /**
   * Exports items of one scope.
   * @returns a rejection when the receiver took the request and refused some or all of its items
   * @throws RetriableError | PermanentError as the answer says
   */
  export(scope: string, items: readonly Message[], signal: Cancellation): Promise<Rejection | undefined>;
  /** An export of nothing: shows whether the receiver is there and lets us in. */
  probe(signal: Cancellation): Promise<void>;
  close(): void;
}

/** @param version `service.version` of the resource */
export function createExporter(
  signal: Signal,
  version: string,
  settings: OtlpSettings,
  host: Host,
): OtlpExporter {
  const { url, grpc, gzip: zipped, timeoutMs, headers } = settings;
  const secrets = Object.values(headers);
  if (settings.ignoresTls) {
    host.log.warn(
      { output: host.id },
      'alerts go out without TLS: over HTTP the endpoint decides, not `tls`',
    );
  }
  const client = grpc ? createGrpcClient(url, host.tls) : undefined;
  // Those of the variable first: for a name that comes twice the last value counts.
  const attributes = new Map([...settings.resource, ['service.name', 'falco'], ['service.version', version]]);
  const resource = Array.from(attributes, ([key, stringValue]) => ({ key, value: { stringValue } }));

  async function send(message: Message, count: number, limit: Cancellation): Promise<Rejection | undefined> {
    const plain = encode(signal.request, message);
    const body = zipped ? await compress(plain) : plain;
    const ends =
      timeoutMs === undefined
        ? limit
        : AbortSignal.any([toAbortSignal(limit), AbortSignal.timeout(timeoutMs)]);
    if (client) {
      const answer = await client.call(signal.method, body, {
        headers,
        gzip: zipped,
        timeoutMs,
        signal: ends,
      });
      return rejectionIn(answer, secrets);
    }
    const request = {
      method: 'POST' as const,
      url,
      headers: {
        'content-type': 'application/x-protobuf',
        ...(zipped && { 'content-encoding': 'gzip' }),
        ...headers,
      },
      body,
      // OTLP's own form in JSON.
      textType: 'application/json',
    };
    const response = await host.http.send(request, ends);
    judge(response, host.clock.now(), secrets);
    return rejectionInText(response, count, secrets);
  }

  return {
    export: (scope, items, limit) => send(signal.toRequest(resource, scope, items), items.length, limit),
    async probe(limit) {
      await send({}, 0, limit);
    },
    close: () => client?.close(),
  };
}
