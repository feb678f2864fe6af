import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SecureVersion } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ServerTlsConfig } from '../../../src/core/config/types.ts';
import { type Certs, makeCerts } from '../../support/certs.ts';
import {
  type Answer,
  alertText,
  buildServer,
  call,
  post,
  type Rig,
  raw,
  serverConfig,
  startServer,
} from './support.ts';

let folder: string;
let certs: Certs;
let rig: Rig | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tiercel-tls-'));
  certs = await makeCerts(join(folder, 'certs'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

const tls = (over: Partial<ServerTlsConfig> = {}): ServerTlsConfig => ({
  certFile: certs.serverCert,
  keyFile: certs.serverKey,
  plainPort: 0,
  plainPaths: [],
  ...over,
});

/** A request over TLS that trusts one authority. */
async function secure(path: string, options: https.RequestOptions = {}, body?: string): Promise<Answer> {
  const ca = options.ca ?? (await readFile(certs.ca));
  return new Promise((resolve, reject) => {
    const request = https.request(rig!.url + path, { agent: false, ...options, ca }, response => {
      let text = '';
      response.on('data', chunk => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The name in the certificate that new connections are shown. */
function shownName(maxVersion: SecureVersion = 'TLSv1.3'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port: rig!.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      },
    );
    socket.on('error', reject);
  });
}

it('takes alerts over TLS', async () => {
  rig = await startServer({ tls: tls() });
  expect((await secure('/', { method: 'POST' }, alertText())).status).toBe(200);
  expect((await secure('/ping')).body).toBe('pong\n');
  expect(rig.accepted).toBe(1);
});

it('speaks TLS 1.2, and nothing older', async () => {
  rig = await startServer({ tls: tls() });
  expect(await shownName('TLSv1.2')).toBe('own-server');
  await expect(shownName('TLSv1.1')).rejects.toThrow();
});

it('tells of plain HTTP that comes to it', async () => {
  rig = await startServer({ tls: tls() });
  await raw(rig.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  expect(rig.server.refusals()).toMatchObject([
    { reason: 'bad_request', message: expect.stringContaining('https://') },
  ]);
});

it('a connection that is never used behind its handshake ends without a word, one that stalls is 408', async () => {
  rig = await startServer({ tls: tls(), requestTimeoutMs: 500 });
  const said = async (text: string) => {
    const socket = connect({ port: rig!.port, host: '127.0.0.1', rejectUnauthorized: false });
    let answer = '';
    socket.on('data', chunk => {
      answer += chunk;
    });
    socket.write(text);
    await once(socket, 'close');
    return answer;
  };
  expect(await Promise.all([said(''), said('POST / HT')])).toEqual([
    '',
    expect.stringMatching(/^HTTP\/1\.1 408 /),
  ]);
  expect(rig.refused).toEqual(['timeout']);
});

describe('a client that never ends its handshake', () => {
  /** Connected, and known to the server: a later connection has been served. */
  async function silentClient(...said: Buffer[]) {
    rig = await startServer({ tls: tls() });
    const socket = connectPlain(rig.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    for (const piece of said) socket.write(piece);
    await secure('/ping');
    return { closed: once(socket.resume(), 'close') };
  }

  // Far more than the test may take.
  it.each([
    ['says nothing', []],
    ['says half a hello', [Buffer.from('1603010200', 'hex')]],
  ])('%s: closing does not wait for it', async (_name, said) => {
    const { closed } = await silentClient(...said);
    await rig!.server.close(600_000);
    await closed;
  });

  it('is cut off with the grace', async () => {
    const { closed } = await silentClient();
    await rig!.server.close(10);
    await closed;
  });
});

describe('client certificates', () => {
  const client = async (cert: string, key: string) => ({
    method: 'POST',
    cert: await readFile(cert),
    key: await readFile(key),
  });

  it('of the right authority are let in, others not', async () => {
    rig = await startServer({ tls: tls({ clientCaFile: certs.ca }) });
    const ours = await client(certs.clientCert, certs.clientKey);
    const theirs = await client(certs.otherClientCert, certs.otherClientKey);
    expect((await secure('/', ours, alertText())).status).toBe(200);
    await expect(secure('/', theirs, alertText())).rejects.toThrow();
    await expect(secure('/', { method: 'POST' }, alertText())).rejects.toThrow();
    expect(rig.accepted).toBe(1);
    expect(rig.backend.taken).toHaveLength(1);
    expect(rig.refused).toEqual(['unauthorized', 'unauthorized']);
  });
});

describe('paths on the plain port', () => {
  it('move there, and vanish from the TLS port', async () => {
    rig = await startServer({ tls: tls({ plainPaths: ['/ping', '/metrics', '/typo'] }) });
    const plain = `http://127.0.0.1:${rig.plainPort}`;
    expect((await call(`${plain}/ping`)).body).toBe('pong\n');
    expect((await call(`${plain}/metrics`)).status).toBe(200);
    for (const path of ['/', '/healthz', '/foo', '/typo', '/api/v1/status']) {
      expect(await call(plain + path)).toMatchObject({ status: 404, body: '404 page not found\n' });
    }
    expect((await post(plain, alertText())).status).toBe(404);
    expect(await secure('/ping')).toMatchObject({ status: 400, body: 'Please send with post http method\n' });
    expect((await secure('/healthz')).status).toBe(200);
    expect(rig.accepted).toBe(0);
  });

  it('may be the ingest and the API', async () => {
    rig = await startServer({ tls: tls({ plainPaths: ['/', '/api/v1'] }) });
    const plain = `http://127.0.0.1:${rig.plainPort}`;
    expect((await post(`${plain}/foo`, alertText())).status).toBe(200);
    expect((await call(`${plain}/api/v1/status`)).status).toBe(200);
    expect((await secure('/', { method: 'POST' }, alertText())).status).toBe(404);
    expect((await secure('/ping')).status).toBe(200);
  });

  it('are no port of their own when there are none', async () => {
    rig = await startServer({ tls: tls() });
    expect(rig.plainPort).toBeUndefined();
  });
});

describe('files', () => {
  it.each([
    [
      'missing',
      (): Partial<ServerTlsConfig> => ({ certFile: join(folder, 'none.crt') }),
      /none\.crt: there is no such file/,
    ],
    [
      'no PEM',
      (): Partial<ServerTlsConfig> => ({ keyFile: import.meta.filename }),
      /tls\.test\.ts, is not in PEM/,
    ],
    [
      'of different pairs',
      (): Partial<ServerTlsConfig> => ({ keyFile: certs.otherServerKey }),
      /cannot be used/,
    ],
    [
      'a missing authority',
      (): Partial<ServerTlsConfig> => ({ clientCaFile: join(folder, 'none.ca') }),
      /none\.ca/,
    ],
  ])('%s: the start fails and says why', async (_name, over, sentence) => {
    const { server } = buildServer({ tls: tls(over()) });
    await expect(server.listen()).rejects.toThrow(sentence);
    await server.close(0);
  });

  describe('that change', () => {
    let live: { cert: string; key: string };
    beforeEach(async () => {
      const own = await mkdtemp(join(folder, 'live-'));
      live = { cert: join(own, 'tls.crt'), key: join(own, 'tls.key') };
      await copyFile(certs.serverCert, live.cert);
      await copyFile(certs.serverKey, live.key);
      rig = await startServer({ tls: tls({ certFile: live.cert, keyFile: live.key }) });
    });

    it('are used for new connections', async () => {
      expect(await shownName()).toBe('own-server');
      const reloaded = rig!.nextLog(/new certificate in use/);
      await copyFile(certs.otherServerCert, live.cert);
      await copyFile(certs.otherServerKey, live.key);
      await reloaded;
      expect(await shownName()).toBe('other-server');
    });

    it('and are bad leave the old ones in use', async () => {
      const told = rig!.nextLog(/stays in use/);
      await writeFile(live.cert, 'half a certifi');
      expect((await told).level).toBe('warn');
      expect(await shownName()).toBe('own-server');
      const reloaded = rig!.nextLog(/new certificate in use/);
      await copyFile(certs.otherServerKey, live.key);
      await copyFile(certs.otherServerCert, live.cert);
      await reloaded;
      expect(await shownName()).toBe('other-server');
    });
  });

  it('of other names come with a new configuration', async () => {
    rig = await startServer({ tls: tls() });
    const other = tls({ certFile: certs.otherServerCert, keyFile: certs.otherServerKey });
    expect(rig.server.reconfigure(serverConfig({ tls: other }))).toEqual([]);
    expect(await shownName()).toBe('other-server');
    const bad = serverConfig({ tls: tls({ certFile: '/none' }), maxInFlight: 0 });
    expect(() => rig!.server.reconfigure(bad)).toThrow('/none: there is no such file');
    expect(
      (await secure('/', { method: 'POST', ca: await readFile(certs.otherCa) }, alertText())).status,
    ).toBe(200);
  });

  it('turned on or off want a restart', async () => {
    rig = await startServer({ tls: tls() });
    expect(rig.server.reconfigure(serverConfig())).toEqual(['TLS turned on or off']);
    const changed = tls({ clientCaFile: certs.ca, plainPaths: ['/ping'] });
    expect(rig.server.reconfigure(serverConfig({ tls: changed }))).toEqual([
      'client certificates turned on or off',
      'the plain HTTP port or its paths',
    ]);
  });
});
