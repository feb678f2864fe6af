/** The command line against the daemon's own server with TLS. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ServerTlsConfig } from '../../../src/core/config/types.ts';
import { type Certs, makeCerts } from '../../support/certs.ts';
import { type Rig, startServer } from '../http-server/support.ts';
import { cli } from './support.ts';

let folder: string;
let certs: Certs;
let rig: Rig | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tiercel-cli-tls-'));
  certs = await makeCerts(folder);
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});

async function start(tls: Partial<ServerTlsConfig> = {}): Promise<string> {
  const files = { certFile: certs.serverCert, keyFile: certs.serverKey };
  rig = await startServer({ tls: { ...files, plainPort: 0, plainPaths: [], ...tls } });
  return rig.url;
}

const list = (url: string, ...more: string[]) => cli(['dead', 'list', '--url', url, ...more]);

test('doctor knows a daemon whose /ping is on the port without TLS', async () => {
  const url = await start({ plainPaths: ['/ping'] });
  const { out } = await cli(['doctor', '--url', url, '--ca', certs.ca, '--no-probe']);
  expect(out).toContain(`ok    daemon: answers at ${url}`);
});

describe('a daemon that wants client certificates', () => {
  const mutual = () => start({ clientCaFile: certs.ca });

  test('one of its authority is let in', async () => {
    const url = await mutual();
    const pair = ['--cert', certs.clientCert, '--key', certs.clientKey];
    const { code, err } = await list(url, '--ca', certs.ca, ...pair);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('none, or one of another authority: 3, and which options help', async () => {
    const url = await mutual();
    const other = ['--cert', certs.otherClientCert, '--key', certs.otherClientKey];
    for (const pair of [[], other]) {
      const { code, err } = await list(url, '--ca', certs.ca, ...pair);
      expect(code).toBe(3);
      expect(err).toContain('client certificate');
      expect(err).toContain('--cert FILE and --key FILE');
    }
  });
});

test.each([
  { argv: () => ['--cert', certs.clientCert], says: '--cert and --key belong together' },
  { argv: () => ['--key', certs.clientKey], says: '--cert and --key belong together' },
  { argv: () => ['--cert', join(folder, 'none'), '--key', certs.clientKey], says: '--cert: cannot read' },
  { argv: () => ['--cert', certs.clientCert, '--key', certs.otherClientKey], says: '--cert, --key: ' },
])('a certificate that cannot be used: 2, $says', async ({ argv, says }) => {
  const { code, err } = await list('https://127.0.0.1:1', ...argv());
  expect(code).toBe(2);
  expect(err).toContain(says);
});
