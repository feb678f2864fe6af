/**
 * Unary calls over gRPC, as much of it as an export needs: one message there, one back, over one HTTP/2 connection.
 * Wire facts: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { gunzipSync } from 'node:zlib';
import type { Cancellation, HttpResponse, TlsSettings } from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { excerptOf, verdict as judge } from '../../core/http/verdict.ts';
import { toRawUtf8 } from '../../core/raw-utf8.ts';
import { percentDecoded } from '../../core/url-parts.ts';
import { decode, type MessageType } from './protobuf.ts';
import { toTlsOptions } from './tls.ts';

/** Read of an answer: those to exports are a few bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Longest time for connecting, with the handshake of TLS. */
const CONNECT_MS = 5000;
/** Compressed or not, and the length. */
const PREFIX_BYTES = 5;

export interface CallOptions {
  /** Sent with the call; lower-case names. Their values are kept out of errors. */
  headers: Readonly<Record<string, string>>;
  /** The message is compressed with gzip. */
  gzip?: boolean;
  /** Told to the server, in milliseconds; the signal is what counts here. */
  timeoutMs?: number;
  signal: Cancellation;
}

export interface GrpcClient {
  /**
   * Calls a method, `/package.Service/Method`, and returns its answer.
   * @throws RetriableError | PermanentError as the status says
   */
  call(method: string, message: Buffer, options: CallOptions): Promise<Buffer>;
  /** Ends all connections and the calls under way; later ones fail. */
  close(): void;
}

/** A connection and the calls that go over it. */
interface Connection {
  session: ClientHttp2Session;
  calls: number;
  /** It takes no more calls, and goes with the last one. */
  isGivenUp: boolean;
}

/** @param origin `http://host:port` for HTTP/2 in the clear, `https://host:port` for TLS */
export function createGrpcClient(origin: string, tls: TlsSettings): GrpcClient {
  const options = origin.startsWith('https:') ? toTlsOptions(tls) : {};
  const connections = new Set<Connection>();
  let current: Connection | undefined;
  let isClosed = false;
  const giveUp = (connection: Connection) => {
    connection.isGivenUp = true;
    if (current === connection) current = undefined;
    // Its streams need not end by themselves: what is to be said to a server that has gone silent is never sent.
    if (connection.calls === 0) connection.session.destroy();
  };
  const open = (): Connection => {
    const session = connect(origin, options);
    const connection: Connection = { session, calls: 0, isGivenUp: false };
    const late = setTimeout(
      () => session.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })),
      CONNECT_MS,
    );
    late.unref();
    const forget = () => {
      if (current === connection) current = undefined;
    };
    session
      .on('connect', () => clearTimeout(late))
      // Calls are told by their own streams.
      .on('error', forget)
      .on('goaway', forget)
      .on('close', () => {
        clearTimeout(late);
        forget();
        connections.delete(connection);
      });
    connections.add(connection);
    return connection;
  };
  return {
    async call(method, message, call) {
      if (call.signal.aborted) throw timedOut(call.signal);
      if (isClosed) throw new RetriableError('the connection is closed', { reason: 'network' });
      if (!current || current.session.closed || current.session.destroyed) current = open();
      const connection = current;
      connection.calls++;
      try {
        return await unary(connection.session, method, message, call);
      } finally {
        connection.calls--;
        // A connection that has gone silent looks the same as a slow server: the next call gets a new one.
        if (call.signal.aborted || connection.isGivenUp) giveUp(connection);
      }
    },
    close() {
      isClosed = true;
      for (const { session } of connections) session.destroy();
    },
  };
}

function unary(
  session: ClientHttp2Session,
  method: string,
  message: Buffer,
  { headers, gzip = false, timeoutMs, signal }: CallOptions,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let stream: ClientHttp2Stream;
    try {
      stream = session.request({
        ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, toRawUtf8(value)])),
        ':method': 'POST',
        ':path': method,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(gzip && { 'grpc-encoding': 'gzip' }),
        // At most eight digits.
        ...(timeoutMs && timeoutMs < 1e8 && { 'grpc-timeout': `${timeoutMs}m` }),
      });
    } catch (error) {
      reject(networkError(error));
      return;
    }
    let head: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    let bytes = 0;
    const abort = () => {
      reject(timedOut(signal));
      stream.close(constants.NGHTTP2_CANCEL);
    };
    signal.addEventListener('abort', abort);
    stream
      .on('response', answer => {
        head = answer;
      })
      .on('trailers', last => {
        trailers = last;
      })
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
        else stream.destroy(new Error('the answer is too long'));
      })
      .on('error', error => reject(networkError(error)))
      .on('close', () => {
        signal.removeEventListener('abort', abort);
        try {
          judgeStatus({ ...head, ...trailers }, Object.values(headers));
          resolve(toMessage(Buffer.concat(chunks)));
        } catch (error) {
          reject(error);
        }
      });
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt8(gzip ? 1 : 0);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
  });
}

/** The message of an answer; empty when it cannot be read: the call went well all the same. */
function toMessage(answer: Buffer): Buffer {
  if (answer.length < PREFIX_BYTES) return Buffer.alloc(0);
  const message = answer.subarray(PREFIX_BYTES, PREFIX_BYTES + answer.readUInt32BE(1));
  if (answer[0] === 0) return message;
  try {
    // Servers answer in the encoding that they were asked in.
    return gunzipSync(message, { maxOutputLength: MAX_ANSWER_BYTES });
  } catch {
    return Buffer.alloc(0);
  }
}

function timedOut(signal: Cancellation): Error {
  const { reason } = signal;
  if (reason instanceof RetriableError || reason instanceof PermanentError) return reason;
  return new RetriableError('ended before an answer came', { reason: 'timeout', cause: reason });
}

function networkError(error: unknown): RetriableError {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  const why = cause?.code ?? code;
  return new RetriableError(`no answer from the server${why ? ` (${why})` : ''}`, {
    reason: 'network',
    cause: error,
  });
}

const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

/**
 * What servers say of a message that is larger than they take. Its status is that of quotas (RESOURCE_EXHAUSTED) or, in
 * older versions of tonic, of much else (OUT_OF_RANGE); only the words tell them apart:
 * - Go, C++, Node.js: `received message larger than max (5 vs. 4)`
 * - Java: `gRPC message exceeds maximum size 4: 5`
 * - .NET: `Received message exceeds the maximum configured message size.`
 * - Rust: `decoded message length too large: found 5 bytes, the limit is: 4 bytes`
 */
const TOO_LARGE =
  /too large|larger than (?:the )?(?:max|limit)|\b(?:message|payload|body|batch)(?: size| length)? exceed(?:s|ed) (?:the )?(?:max|limit)/i;

/**
 * Returns when the call went well. What may pass is what OTLP calls retryable
 * (https://opentelemetry.io/docs/specs/otlp/#failures), and with it UNKNOWN and INTERNAL, gRPC's counterparts of an
 * HTTP 500 and of a broken stream.
 */
function judgeStatus(headers: IncomingHttpHeaders, secrets: readonly string[]): void {
  const status = Number(headers[':status'] ?? 0);
  if (headers['grpc-status'] === undefined) {
    if (status === 0) throw new RetriableError('no answer from the server', { reason: 'network' });
    judge({ status, headers: headers as HttpResponse['headers'], body: '' }, Date.now());
    throw new RetriableError('the answer is not gRPC', { reason: 'network' });
  }
  const code = Number(headers['grpc-status']);
  if (code === 0) return;
  const name = CODES[code] ?? 'UNKNOWN';
  const body = percentDecoded(String(headers['grpc-message'] ?? ''));
  const said = excerptOf({ status, headers: {}, body }, secrets);
  const message = said === '' ? `answered ${name}` : `answered ${name}: ${said}`;
  const retryAfterMs = retryDelayMs(headers['grpc-status-details-bin']);
  switch (name) {
    case 'UNAUTHENTICATED':
    case 'PERMISSION_DENIED':
      throw new PermanentError(message, { reason: 'auth' });
    case 'RESOURCE_EXHAUSTED':
      if (TOO_LARGE.test(body)) throw new PermanentError(message, { reason: 'payload' });
      throw new RetriableError(message, { reason: 'rate_limited', retryAfterMs });
    case 'OUT_OF_RANGE':
      if (TOO_LARGE.test(body)) throw new PermanentError(message, { reason: 'payload' });
      throw new RetriableError(message, { reason: 'server_error', retryAfterMs });
    case 'CANCELLED':
    case 'DEADLINE_EXCEEDED':
      throw new RetriableError(message, { reason: 'timeout', retryAfterMs });
    case 'UNKNOWN':
    case 'ABORTED':
    case 'INTERNAL':
    case 'UNAVAILABLE':
    case 'DATA_LOSS':
      throw new RetriableError(message, { reason: 'server_error', retryAfterMs });
    case 'UNIMPLEMENTED':
      throw new PermanentError(message, { reason: 'server_error' });
    default:
      throw new PermanentError(message, { reason: 'client_error' });
  }
}

/** google.rpc.Status with a RetryInfo among its details: github.com/googleapis/googleapis, `google/rpc`. */
const STATUS: MessageType = {
  details: {
    number: 3,
    many: true,
    type: { typeUrl: { number: 1, type: 'string' }, value: { number: 2, type: 'bytes' } },
  },
};
const RETRY_INFO: MessageType = {
  delay: { number: 1, type: { seconds: { number: 1, type: 'uint' }, nanos: { number: 2, type: 'uint' } } },
};

function retryDelayMs(details: string | string[] | undefined): number | undefined {
  if (details === undefined) return undefined;
  try {
    const status = decode(STATUS, Buffer.from(String(details), 'base64'));
    for (const { typeUrl, value } of (status.details ?? []) as { typeUrl?: string; value?: Buffer }[]) {
      if (!typeUrl?.endsWith('/google.rpc.RetryInfo') || !value) continue;
      const { delay } = decode(RETRY_INFO, value) as { delay?: { seconds?: number; nanos?: number } };
      return Math.ceil((delay?.seconds ?? 0) * 1000 + (delay?.nanos ?? 0) / 1e6);
    }
  } catch {
    // Details that cannot be read say nothing.
  }
  return undefined;
}
