/** Throw-away certificates, made with the openssl command. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A key and its certificate: PEM text, and the files that hold it. */
export interface Identity {
  cert: string;
  key: string;
  certFile: string;
  keyFile: string;
}

/** An authority made for one test run. */
export interface Authority {
  ca: string;
  caFile: string;
  /** For localhost, 127.0.0.1 and ::1. */
  server: Identity;
  client: Identity;
}

/**
 * Makes an authority with one server and one client certificate in a folder.
 * @param nameOf the common name of a certificate
 */
export async function createAuthority(
  folder: string,
  name: string,
  nameOf: (kind: 'server' | 'client') => string = kind => kind,
): Promise<Authority> {
  const file = (suffix: string) => join(folder, `${name}-${suffix}`);
  const openssl = (...args: string[]) => run('openssl', args);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const caFile = file('ca.pem');
  const caKey = file('ca.key');
  const own = ['-days', '2', '-subj', `/CN=${name}`, '-keyout', caKey, '-out', caFile];
  await openssl('req', '-x509', ...key, ...own);
  const extensions = file('ext');
  await writeFile(
    extensions,
    'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth,clientAuth\n',
  );
  const signing = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
  const issue = async (kind: 'server' | 'client'): Promise<Identity> => {
    const [keyFile, certFile, request] = [file(`${kind}.key`), file(`${kind}.pem`), file(`${kind}.csr`)];
    await openssl('req', ...key, '-subj', `/CN=${nameOf(kind)}`, '-keyout', keyFile, '-out', request);
    await openssl('x509', '-req', '-in', request, ...signing, '-out', certFile);
    const [cert, keyText] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    return { cert, key: keyText, certFile, keyFile };
  };
  const server = await issue('server');
  const client = await issue('client');
  return { ca: await readFile(caFile, 'utf8'), caFile, server, client };
}
