import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createGrpcClient, type GrpcClient } from '../../../../src/outputs/_kit/grpc.ts';
import { encode } from '../../../../src/outputs/_kit/protobuf.ts';
import { makeCerts } from '../../../support/certs.ts';
import { answerCall as answer, type Call, framed, serveGrpc } from '../../../support/grpc-server.ts';
import { failureOf, patience } from '../../../support/http-client.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => new Promise(resolve => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

async function serve(...options: Parameters<typeof serveGrpc>) {
  const server = await serveGrpc(...options);
  cleanup.push(() => server.close());
  return server;
}

function clientOf(origin: string, tls = {}): GrpcClient {
  const client = createGrpcClient(origin, { verify: true, ...tls });
  cleanup.push(() => client.close());
  return client;
}

const send = (client: GrpcClient, signal = patience(), message = Buffer.from('hello')) =>
  client.call('/pkg.Service/Export', message, { headers: { 'x-token': 'S3cret-token' }, signal });

describe('a call', () => {
  test('carries message and headers, and brings back the answer', async () => {
    const calls: Call[] = [];
    const { port } = await serve(call => {
      calls.push(call);
      // As servers do: in the encoding of the question.
      const packed = call.headers['grpc-encoding'] === 'gzip';
      answer(call, undefined, packed ? framed(gzipSync('there'), true) : framed(Buffer.from('there')));
    });
    const client = clientOf(`http://127.0.0.1:${port}`);
    const options = { headers: { 'x-token': 'a' }, timeoutMs: 1500, signal: patience() };
    expect(String(await client.call('/pkg.Service/Export', Buffer.from('hello'), options))).toBe('there');
    const zipped = { ...options, gzip: true };
    expect(String(await client.call('/pkg.Service/Export', gzipSync('packed'), zipped))).toBe('there');
    expect(calls[0]!.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/pkg.Service/Export',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '1500m',
      'x-token': 'a',
    });
    expect(calls[0]!.body).toEqual(framed(Buffer.from('hello')));
    expect(calls[1]!.headers['grpc-encoding']).toBe('gzip');
    expect(calls[1]!.body[0]).toBe(1);
    expect(String(gunzipSync(calls[1]!.body.subarray(5)))).toBe('packed');
    expect(calls[1]!.session).toBe(calls[0]!.session);
  });

  test.each([
    [1, 'RetriableError', 'timeout'],
    [2, 'RetriableError', 'server_error'],
    [3, 'PermanentError', 'client_error'],
    [4, 'RetriableError', 'timeout'],
    [5, 'PermanentError', 'client_error'],
    [7, 'PermanentError', 'auth'],
    [8, 'RetriableError', 'rate_limited'],
    [10, 'RetriableError', 'server_error'],
    [11, 'RetriableError', 'server_error'],
    [12, 'PermanentError', 'server_error'],
    [13, 'RetriableError', 'server_error'],
    [14, 'RetriableError', 'server_error'],
    [15, 'RetriableError', 'server_error'],
    [16, 'PermanentError', 'auth'],
    [99, 'RetriableError', 'server_error'],
  ])('with status %i fails with a %s (%s)', async (status, name, reason) => {
    const { port } = await serve(call =>
      answer(call, { 'grpc-status': status, 'grpc-message': 'no%20S3cret-token' }),
    );
    const error = await failureOf(send(clientOf(`http://127.0.0.1:${port}`)));
    expect(error).toMatchObject({ name, reason });
    expect(error!.message).toContain('no ***');
  });

  test('learns how long to wait, also from an answer that is headers alone', async () => {
    const delay = encode(
      {
        delay: {
          number: 1,
          type: { seconds: { number: 1, type: 'uint' }, nanos: { number: 2, type: 'uint' } },
        },
      },
      { delay: { seconds: 7, nanos: 500_000_000 } },
    );
    const detail = { typeUrl: { number: 1, type: 'string' }, value: { number: 2, type: 'bytes' } } as const;
    const details = encode(
      { details: { number: 3, many: true, type: detail } },
      { details: [{ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value: delay }] },
    );
    const { port } = await serve(({ stream }) =>
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': '8',
          'grpc-status-details-bin': details.toString('base64'),
        },
        { endStream: true },
      ),
    );
    const error = await failureOf(send(clientOf(`http://127.0.0.1:${port}`)));
    expect(error).toMatchObject({ name: 'RetriableError', reason: 'rate_limited', retryAfterMs: 7500 });
  });

  test.each([
    [8, 'grpc: received message larger than max (5 vs. 4)'],
    [8, 'gRPC message exceeds maximum size 4: 5'],
    [8, 'Received message exceeds the maximum configured message size.'],
    [8, 'Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes'],
    [11, 'Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes'],
  ])('that is too large for the server is not tried again: %i %s', async (status, words) => {
    const { port } = await serve(call => answer(call, { 'grpc-status': status, 'grpc-message': words }));
    const error = await failureOf(send(clientOf(`http://127.0.0.1:${port}`)));
    expect(error).toMatchObject({ name: 'PermanentError', reason: 'payload' });
  });

  test.each([
    [8, 'rate_limited', 'message rate exceeds the maximum of 5 per second'],
    [8, 'rate_limited', 'quota exceeded: the maximum number of messages is 5'],
    [11, 'server_error', 'the maximum is in the past'],
  ])('of a size that may pass is tried again: %i %s %s', async (status, reason, words) => {
    const { port } = await serve(call => answer(call, { 'grpc-status': status, 'grpc-message': words }));
    const error = await failureOf(send(clientOf(`http://127.0.0.1:${port}`)));
    expect(error).toMatchObject({ name: 'RetriableError', reason });
  });

  test('is judged by its HTTP status where there is no other', async () => {
    let status = 503;
    const { port } = await serve(({ stream }) => stream.respond({ ':status': status }, { endStream: true }));
    const client = clientOf(`http://127.0.0.1:${port}`);
    expect(await failureOf(send(client))).toMatchObject({ name: 'RetriableError', reason: 'server_error' });
    status = 404;
    expect(await failureOf(send(client))).toMatchObject({ name: 'PermanentError', reason: 'client_error' });
    status = 200;
    expect(await failureOf(send(client))).toMatchObject({ name: 'RetriableError', reason: 'network' });
  });

  test('ends with its signal, and the next one gets another connection', async () => {
    const held: Call[] = [];
    const { port, sessions } = await serve(call => {
      held.push(call);
      if (held.length > 1) answer(call, { 'grpc-status': 0 });
      else caller.abort();
    });
    const caller = new AbortController();
    const client = clientOf(`http://127.0.0.1:${port}`);
    expect(await failureOf(send(client, caller.signal))).toMatchObject({ reason: 'timeout' });
    expect(await failureOf(send(client, AbortSignal.abort()))).toMatchObject({ reason: 'timeout' });
    await send(client);
    expect(sessions).toHaveLength(2);
  });
});

describe('a server', () => {
  /** One that takes connections and says nothing. */
  async function mute() {
    const sockets = new Set<Socket>();
    const server = createTcpServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.resume();
    });
    cleanup.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    return { server, port: await listen(server), sockets };
  }

  test.each(['http', 'https'])('that never answers is left by each call that ends (%s)', async scheme => {
    const { server, port, sockets } = await mute();
    const client = clientOf(`${scheme}://127.0.0.1:${port}`);
    for (let tries = 0; tries < 3; tries++) {
      const caller = new AbortController();
      server.once('connection', () => caller.abort());
      expect(await failureOf(send(client, caller.signal))).toMatchObject({ reason: 'timeout' });
    }
    await vi.waitFor(() => expect(sockets.size).toBe(0));
  });

  test('that never answers the handshake is given up in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    cleanup.push(() => vi.useRealTimers());
    const { server, port, sockets } = await mute();
    const client = clientOf(`https://127.0.0.1:${port}`);
    const came = new Promise(resolve => server.once('connection', resolve));
    const failure = failureOf(send(client));
    await came;
    vi.advanceTimersByTime(5000);
    expect(await failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    vi.useRealTimers();
    await vi.waitFor(() => expect(sockets.size).toBe(0));
  });

  test('that never answers is left when the client is closed', async () => {
    const { server, port, sockets } = await mute();
    const client = clientOf(`https://127.0.0.1:${port}`);
    const came = new Promise(resolve => server.once('connection', resolve));
    const failure = failureOf(send(client));
    await came;
    client.close();
    expect(await failure).toMatchObject({ reason: 'network' });
    expect(await failureOf(send(client))).toMatchObject({ reason: 'network' });
    await vi.waitFor(() => expect(sockets.size).toBe(0));
  });

  test('is not left by a call that ends while another is under way', async () => {
    const calls: Call[] = [];
    const { port, sessions } = await serve(call => {
      calls.push(call);
      if (calls.length === 2) caller.abort();
    });
    const caller = new AbortController();
    const client = clientOf(`http://127.0.0.1:${port}`);
    const other = send(client);
    expect(await failureOf(send(client, caller.signal))).toMatchObject({ reason: 'timeout' });
    answer(calls[0]!);
    await other;
    await vi.waitFor(() => expect(sessions[0]!.destroyed).toBe(true));
  });

  test('that is away, breaks off, or speaks otherwise is worth another try', async () => {
    const away = createTcpServer();
    const port = await listen(away);
    await (cleanup.pop() as () => Promise<void>)();
    const client = clientOf(`http://127.0.0.1:${port}`);
    expect(await failureOf(send(client))).toMatchObject({ name: 'RetriableError', reason: 'network' });
    for (const reply of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
      const odd = createTcpServer(
        socket => void socket.on('error', () => {}).once('data', () => socket.end(reply)),
      );
      const error = await failureOf(send(clientOf(`http://127.0.0.1:${await listen(odd)}`)));
      expect(error).toMatchObject({ name: 'RetriableError', reason: 'network' });
    }
  });

  test('that says goodbye is called anew', async () => {
    const { port, sessions } = await serve(call => answer(call, { 'grpc-status': 0 }));
    const client = clientOf(`http://127.0.0.1:${port}`);
    await send(client);
    const gone = new Promise(resolve => sessions[0]!.once('close', resolve));
    sessions[0]!.close();
    await gone;
    await send(client);
    expect(sessions).toHaveLength(2);
  });

  test('has to show a certificate that is trusted', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tiercel-grpc-'));
    cleanup.push(() => rm(dir, { recursive: true, force: true }));
    const certs = await makeCerts(dir);
    const [ca, cert, key] = await Promise.all(
      [certs.ca, certs.serverCert, certs.serverKey].map(file => readFile(file, 'utf8')),
    );
    const { port } = await serve(
      call => answer(call, { 'grpc-status': 0 }),
      createSecureServer({ cert, key }).on('sessionError', () => {}),
    );
    const origin = `https://127.0.0.1:${port}`;
    await send(clientOf(origin, { ca: [ca!] }));
    await send(clientOf(origin, { verify: false }));
    expect(await failureOf(send(clientOf(origin)))).toMatchObject({ reason: 'network' });
  });
});
