import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ClientTls } from '../../../src/core/http/client-tls.ts';
import { type Certs, makeCerts } from '../../support/certs.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';

let dir: string;
let certs: Certs;
const sinks: HttpSink[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-tls-'));
  certs = await makeCerts(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(async () => {
  vi.useRealTimers();
  await closeClients();
  await Promise.all(sinks.splice(0).map(sink => sink.close()));
});

async function secureSink(
  options: { cert?: string; key?: string; clientCa?: string } = {},
): Promise<HttpSink> {
  const sink = await HttpSink.listen(always(200, 'ok'), {
    cert: readFileSync(options.cert ?? certs.serverCert),
    key: readFileSync(options.key ?? certs.serverKey),
    ...(options.clientCa && {
      ca: readFileSync(options.clientCa),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  });
  sinks.push(sink);
  return sink;
}

function send(sink: HttpSink, connection: Parameters<typeof clientOf>[0], origin = sink.origin) {
  const request = { method: 'POST' as const, url: `${origin}/secret`, headers: {}, body: 'x' };
  return clientOf(connection, { connectTimeoutMs: 5000 }).send(request, patience());
}

describe('the server’s certificate', () => {
  test('is refused when its authority is not trusted, and the error says what to do', async () => {
    const error = await failureOf(send(await secureSink(), {}));
    expect(error).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('tlsclient.cacertfile'),
    });
    expect(error!.message).not.toContain('secret');
  });

  test('is taken when its authority is given', async () => {
    expect(await send(await secureSink(), { caFiles: [certs.ca] })).toMatchObject({ status: 200 });
  });

  test('is refused when it is signed by another one', async () => {
    const sink = await secureSink({ cert: certs.otherServerCert, key: certs.otherServerKey });
    expect(await failureOf(send(sink, { caFiles: [certs.ca] }))).toMatchObject({ reason: 'network' });
    expect(await send(sink, { caFiles: [certs.ca, certs.otherCa] })).toMatchObject({ status: 200 });
  });

  test('is not looked at when told so', async () => {
    expect(await send(await secureSink(), { verify: false })).toMatchObject({ status: 200 });
  });

  test('has to be for the expected name', async () => {
    const sink = await secureSink();
    const wrong = { caFiles: [certs.ca], serverName: 'other.example' };
    expect(await failureOf(send(sink, wrong))).toMatchObject({
      reason: 'network',
      message: expect.stringContaining('another name'),
    });
    expect(await send(sink, { caFiles: [certs.ca], serverName: 'localhost' })).toMatchObject({ status: 200 });
  });
});

test('a redirect that gives up encryption is not followed', async () => {
  const plain = await HttpSink.listen();
  const sink = await secureSink();
  sinks.push(plain);
  sink.reply = always(307, '', { location: `${plain.origin}/x` });
  expect(await send(sink, { caFiles: [certs.ca] })).toMatchObject({ status: 307 });
  expect(plain.requests).toEqual([]);
});

test('authorities of the system count, SSL_CERT_FILE among them', async () => {
  const sink = await secureSink();
  const client = new URL('../../../src/core/http/client.ts', import.meta.url);
  const script = `
    import { createHttpClient } from ${JSON.stringify(client.href)};
    const connection = { verify: true, caFiles: [], certFile: '', keyFile: '', serverName: '', proxy: '', headers: {} };
    const http = createHttpClient({ connection, connections: 1, env: {} });
    const request = { method: 'POST', url: ${JSON.stringify(sink.origin)}, headers: {}, body: 'x' };
    const answer = await http.send(request, new AbortController().signal);
    await http.close();
    console.log(answer.status);`;
  const env = { PATH: process.env.PATH, SSL_CERT_FILE: certs.ca };
  const { stdout } = await promisify(execFile)('node', ['--input-type=module', '-e', script], { env });
  expect(stdout.trim()).toBe('200');
});

describe('our certificate', () => {
  const own = () => ({ caFiles: [certs.ca], certFile: certs.clientCert, keyFile: certs.clientKey });

  test('is shown where it is asked for', async () => {
    const sink = await secureSink({ clientCa: certs.ca });
    expect(await send(sink, own())).toMatchObject({ status: 200 });
    expect(await failureOf(send(sink, { caFiles: [certs.ca] }))).toMatchObject({ reason: 'network' });
    const other = { ...own(), certFile: certs.otherClientCert, keyFile: certs.otherClientKey };
    expect(await failureOf(send(sink, other))).toMatchObject({ reason: 'network' });
  });

  test('is read anew when its files have changed', async () => {
    const certFile = join(dir, 'rotated.crt');
    const keyFile = join(dir, 'rotated.key');
    const write = async (cert: string, key: string, at: number) => {
      await Promise.all([copyFile(cert, certFile), copyFile(key, keyFile)]);
      await Promise.all([utimes(certFile, at, at), utimes(keyFile, at, at)]);
    };
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    await write(certs.otherClientCert, certs.otherClientKey, 1000);
    const config = { verify: true, caFiles: [certs.ca], certFile, keyFile, serverName: '' };
    const tls = new ClientTls(config);
    // The clock that people see is set back.
    vi.setSystemTime(0);
    const first = tls.options().secureContext;
    await write(certs.clientCert, certs.clientKey, 2000);
    expect(tls.options().secureContext).toBe(first);
    vi.advanceTimersByTime(10_000);
    const second = tls.options().secureContext;
    expect(second).not.toBe(first);

    // Half written: what was read before stays in use.
    await copyFile(certs.otherClientKey, keyFile);
    vi.advanceTimersByTime(10_000);
    expect(tls.options().secureContext).toBe(second);
  });
});

describe('files', () => {
  test('that cannot be used are told of by name, when the client is made', async () => {
    const notPem = join(dir, 'note.txt');
    await writeFile(notPem, 'not a certificate');
    expect(() => clientOf({ caFiles: [join(dir, 'missing.crt')] })).toThrow(
      /missing\.crt cannot be read \(ENOENT\)/,
    );
    expect(() => clientOf({ caFiles: [notPem] })).toThrow(/note\.txt is not in PEM format/);
    expect(() => clientOf({ certFile: certs.clientCert, keyFile: certs.otherClientKey })).toThrow(
      /own-client\.pem.*cannot be used/,
    );
  });
});
