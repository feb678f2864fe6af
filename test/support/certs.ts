/** Two families of throw-away certificates: one that is trusted, one that is not. */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createAuthority } from './services/certificates.ts';

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

/** What a server on this machine that is trusted needs for TLS. */
export function serverTls({ serverCert, serverKey }: Certs): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(serverCert), key: readFileSync(serverKey) };
}

async function makeFamily(dir: string, name: string) {
  const { caFile, server, client } = await createAuthority(dir, name, kind => `${name}-${kind}`);
  return {
    ca: caFile,
    serverCert: server.certFile,
    serverKey: server.keyFile,
    clientCert: client.certFile,
    clientKey: client.keyFile,
  };
}
