/** Throw-away certificates for tests, made with the openssl command. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of PEM files. */
export interface Certs {
  ca: string;
  /** For localhost, 127.0.0.1 and ::1, signed by `ca`. */
  serverCert: string;
  serverKey: string;
  /** Signed by `ca`. */
  clientCert: string;
  clientKey: string;
  /** An authority that nobody trusts, with a server and a client of its own. */
  otherCa: string;
  otherServerCert: string;
  otherServerKey: string;
  otherClientCert: string;
  otherClientKey: string;
}

/** Makes two authorities with a server and a client certificate each, in a folder that is created when absent. */
export async function makeCerts(dir: string): Promise<Certs> {
  await mkdir(dir, { recursive: true });
  const [own, other] = await Promise.all([makeFamily(dir, 'own'), makeFamily(dir, 'other')]);
  return {
    ...own,
    otherCa: other.ca,
    otherServerCert: other.serverCert,
    otherServerKey: other.serverKey,
    otherClientCert: other.clientCert,
    otherClientKey: other.clientKey,
  };
}

async function makeFamily(dir: string, name: string) {
  const ca = join(dir, `${name}-ca.crt`);
  const caKey = join(dir, `${name}-ca.key`);
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name} authority`, '-keyout', caKey, '-out', ca],
  ]);
  const server = await sign(dir, `${name}-server`, { ca, caKey, usage: 'serverAuth' });
  const client = await sign(dir, `${name}-client`, { ca, caKey, usage: 'clientAuth' });
  return {
    ca,
    serverCert: server.cert,
    serverKey: server.key,
    clientCert: client.cert,
    clientKey: client.key,
  };
}

async function sign(dir: string, name: string, by: { ca: string; caKey: string; usage: string }) {
  const cert = join(dir, `${name}.crt`);
  const key = join(dir, `${name}.key`);
  const request = join(dir, `${name}.csr`);
  const extensions = join(dir, `${name}.ext`);
  await writeFile(
    extensions,
    `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=${by.usage}\n`,
  );
  await run('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', `/CN=${name}`, '-keyout', key, '-out', request],
  ]);
  await run('openssl', [
    ...['x509', '-req', '-in', request, '-CA', by.ca, '-CAkey', by.caKey, '-CAcreateserial', '-days', '2'],
    ...['-extfile', extensions, '-out', cert],
  ]);
  return { cert, key };
}
