/** A far end that speaks gRPC as told: keeps the calls, answers by hand. */
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface Call {
  headers: IncomingHttpHeaders;
  /** With the five bytes in front of the message. */
  body: Buffer;
  stream: ServerHttp2Stream;
  session: ServerHttp2Session;
}

/** A message with its five bytes in front: compressed or not, and the length. */
export function framed(message: Buffer, gzip = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = Number(gzip);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Answers with a framed message, and a status in the trailers. */
export function answerCall(
  { stream }: Call,
  trailers: Record<string, string | number> = { 'grpc-status': 0 },
  body = framed(Buffer.alloc(0)),
): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

/** Listens on 127.0.0.1, in the clear unless another server is given. */
export async function serveGrpc(handle: (call: Call) => void, server: Http2Server = createServer()) {
  const sessions: ServerHttp2Session[] = [];
  server.on('session', session => sessions.push(session.on('error', () => {})));
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () =>
      handle({ headers, stream, body: Buffer.concat(chunks), session: sessions.at(-1)! }),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** The connections so far. */
    sessions,
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
