/** TLS of outgoing connections: whom to trust, and who we are. */
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { ServerTls, TlsSettings } from '../contract.ts';
import { isPem } from '../pem.ts';
import { trustedCertificates } from '../trust.ts';

/**
 * Reads the files of a connection.
 * @throws Error with a sentence that names the file and what is wrong with it
 */
export function readTls(config: ServerTls): TlsSettings {
  const ca = config.caFiles.map(file => readPem(file, 'certificate authority'));
  if (config.pem?.ca) ca.push(config.pem.ca);
  return {
    verify: config.verify,
    ...(ca.length > 0 && { ca }),
    ...(config.certFile !== '' && { cert: readPem(config.certFile, 'client certificate') }),
    ...(config.keyFile !== '' && { key: readPem(config.keyFile, 'client key') }),
    ...(config.pem?.cert && { cert: config.pem.cert }),
    ...(config.pem?.key && { key: config.pem.key }),
    ...(config.serverName !== '' && { serverName: config.serverName }),
  };
}

function readPem(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`the ${what} ${file} cannot be read (${code})`, { cause: error });
  }
  if (!isPem(text)) throw new Error(`the ${what} ${file} is not in PEM format`);
  return text;
}

/** Changed files are noticed on a new connection, at most this often. */
const CHECK_MS = 10_000;

/** The secure context of one output's connections; made anew when its files have changed. */
export class ClientTls {
  readonly #config: ServerTls;
  #settings: TlsSettings;
  #context: SecureContext | undefined;
  #stamp: string;
  /** On the monotonic clock. */
  #checkedAt = performance.now();

  /** @throws Error as readTls does */
  constructor(config: ServerTls) {
    this.#config = config;
    this.#stamp = this.#stampOf();
    this.#settings = readTls(config);
    // Files that do not fit are told of at the start, not with the first alert.
    if (this.#stamp !== '' || config.pem) this.#context = this.#contextOf(this.#settings);
  }

  /** For `tls.connect`. */
  options(): { secureContext: SecureContext; rejectUnauthorized: boolean; servername?: string } {
    this.#refresh();
    this.#context ??= this.#contextOf(this.#settings);
    const { verify, serverName } = this.#settings;
    return {
      secureContext: this.#context,
      rejectUnauthorized: verify,
      ...(serverName && { servername: serverName }),
    };
  }

  #refresh(): void {
    const now = performance.now();
    if (now - this.#checkedAt < CHECK_MS) return;
    this.#checkedAt = now;
    const stamp = this.#stampOf();
    if (stamp === this.#stamp) return;
    try {
      const settings = readTls(this.#config);
      this.#context = this.#contextOf(settings);
      this.#settings = settings;
      this.#stamp = stamp;
    } catch {
      // Certificate and key are written one after the other: what was read before serves until both fit.
    }
  }

  #contextOf({ ca, cert, key }: TlsSettings): SecureContext {
    try {
      return createSecureContext({ ca: trustedCertificates({ ca }), cert, key, minVersion: 'TLSv1.2' });
    } catch (error) {
      const { certFile, keyFile, caFiles } = this.#config;
      const names = [certFile, keyFile, ...caFiles].filter(Boolean).join(', ') || 'the certificates';
      throw new Error(`TLS: ${names} cannot be used: ${(error as Error).message}`, { cause: error });
    }
  }

  #stampOf(): string {
    const { caFiles, certFile, keyFile } = this.#config;
    return [...caFiles, certFile, keyFile]
      .filter(Boolean)
      .map(file => {
        const stat = statSync(file, { throwIfNoEntry: false });
        return stat ? `${stat.ino}:${stat.mtimeMs}:${stat.size}` : '';
      })
      .join(' ');
  }
}
