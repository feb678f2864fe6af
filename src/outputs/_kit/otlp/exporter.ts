/** Sends OTLP data to a receiver over HTTP or gRPC: https://opentelemetry.io/docs/specs/otlp. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Host } from '../../../core/contract.ts';
import { createGrpcClient } from '../grpc.ts';
import { excerptOf, judge } from '../http.ts';
import { decode, encode, type Message } from '../protobuf.ts';
import { EXPORT_RESPONSE, type Signal } from './messages.ts';
import type { OtlpSettings } from './settings.ts';

const compress = promisify(gzip);

/** What a receiver that took a request would not take of it. */
export interface Rejection {
  /** One line, without secrets. */
  message: string;
}

export interface OtlpExporter {
  /**
   * Exports items of one scope.
   * @returns a rejection when the receiver took the request and refused some or all of its items
   * @throws RetriableError | PermanentError as the answer says
   */
  export(scope: string, items: readonly Message[], signal: AbortSignal): Promise<Rejection | undefined>;
  /** An export of nothing: shows whether the receiver is there and lets us in. */
  probe(signal: AbortSignal): Promise<void>;
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
  const client = grpc ? createGrpcClient(url, host.tls) : undefined;
  // Those of the variable first: for a name that comes twice the last value counts.
  const attributes = new Map([...settings.resource, ['service.name', 'falco'], ['service.version', version]]);
  const resource = Array.from(attributes, ([key, stringValue]) => ({ key, value: { stringValue } }));

  async function send(message: Message, limit: AbortSignal): Promise<Rejection | undefined> {
    const plain = encode(signal.request, message);
    const body = zipped ? await compress(plain) : plain;
    const ends = timeoutMs === undefined ? limit : AbortSignal.any([limit, AbortSignal.timeout(timeoutMs)]);
    if (client) {
      const answer = await client.call(signal.method, body, {
        headers,
        gzip: zipped,
        timeoutMs,
        signal: ends,
      });
      return readRejection(answer, secrets);
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
    };
    const response = await host.http.send(request, ends);
    judge(response, host.clock.now(), secrets);
    const refused = refusedText(response.body);
    return refused === undefined ? undefined : toRejection(refused, secrets);
  }

  return {
    export: (scope, items, limit) => send(signal.toRequest(resource, scope, items), limit),
    async probe(limit) {
      await send({}, limit);
    },
    close: () => client?.close(),
  };
}

/** An answer that cannot be read is no rejection: the call went well. */
function readRejection(answer: Buffer, secrets: readonly string[]): Rejection | undefined {
  try {
    const { partialSuccess } = decode(EXPORT_RESPONSE, answer) as {
      partialSuccess?: { rejected?: number; errorMessage?: string };
    };
    return partialSuccess?.rejected ? toRejection(partialSuccess.errorMessage ?? '', secrets) : undefined;
  } catch {
    return undefined;
  }
}

function toRejection(text: string, secrets: readonly string[]): Rejection {
  const said = excerptOf({ status: 200, headers: {}, body: text }, secrets);
  return { message: `the receiver refused what it was sent${said === '' ? '' : `: ${said}`}` };
}

/**
 * The receiver's words when a 2xx answer says that items were refused; undefined when it does not. The answer has been
 * read as UTF-8, in which a number's bytes of 128 and up have become other characters: enough is left to tell a count
 * that is not 0 (field 1 within field 1), and the message (field 2) behind it.
 */
function refusedText(body: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are bytes of a protobuf message
  const match = /^\n[^\0-\x7f]*[\0-\x7f]\x08([^\0-\x7f]*[\0-\x7f])(?:\x12[^\0-\x7f]*[\0-\x7f])?/.exec(body);
  return match && match[1] !== '\0' ? body.slice(match[0].length) : undefined;
}
