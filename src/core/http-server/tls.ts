/** The server's certificates: read, checked, and read again when the files change. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { ServerTlsConfig } from '../config/types.ts';
import type { Logger } from '../contract.ts';
import { fileTrouble } from '../file-trouble.ts';
import { isPem } from '../pem.ts';

/** What the TLS server is made of. */
export type TlsFiles = Pick<SecureContextOptions, 'cert' | 'key' | 'ca' | 'minVersion'>;

/**
 * Reads and checks the files.
 * @throws Error with a sentence that names the file
 */
export function loadTls(config: ServerTlsConfig): TlsFiles {
  const files: TlsFiles = {
    cert: readPem(config.certFile, 'the certificate of the server'),
    key: readPem(config.keyFile, 'the key of the server'),
    ...(config.clientCaFile
      ? { ca: readPem(config.clientCaFile, 'the authority of client certificates') }
      : {}),
    minVersion: 'TLSv1.2',
  };
  try {
    createSecureContext(files);
  } catch (error) {
    const names = [config.certFile, config.keyFile, config.clientCaFile].filter(Boolean).join(', ');
    throw new Error(`TLS: ${names} cannot be used: ${(error as Error).message}`, { cause: error });
  }
  return files;
}

function readPem(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`TLS: cannot read ${what}, ${file}: ${fileTrouble(error)}`, { cause: error });
  }
  if (!isPem(text)) throw new Error(`TLS: ${what}, ${file}, is not in PEM format`);
  return text;
}

// Certificate and key are mostly written one after the other.
const SETTLE_MS = 200;
// For file systems that do not tell of changes, and links that lead out of the watched folders.
const POLL_MS = 60_000;

/**
 * Watches the folders of the files (Kubernetes swaps a link there) and hands over new contents once they are good.
 * Bad ones are logged, and nothing happens.
 */
export function watchTls(
  config: ServerTlsConfig,
  options: { loaded: TlsFiles; log: Logger; apply(files: TlsFiles): void },
): { close(): void } {
  const { log, apply } = options;
  let current = contentsOf(options.loaded);
  let lastProblem = '';
  const check = () => {
    try {
      const files = loadTls(config);
      lastProblem = '';
      if (contentsOf(files) === current) return;
      apply(files);
      current = contentsOf(files);
      log.info({ certFile: config.certFile }, 'TLS: new certificate in use');
    } catch (error) {
      const { message } = error as Error;
      if (message !== lastProblem) log.warn({}, `${message}; the certificate read before stays in use`);
      lastProblem = message;
    }
  };

  let settling: NodeJS.Timeout | undefined;
  const soon = () => {
    clearTimeout(settling);
    settling = setTimeout(check, SETTLE_MS);
    settling.unref();
  };
  const poll = setInterval(check, POLL_MS);
  poll.unref();
  const watchers = foldersOf(config).flatMap(folder => watchFolder(folder, soon));
  return {
    close() {
      clearTimeout(settling);
      clearInterval(poll);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function contentsOf(files: TlsFiles): string {
  return [files.cert, files.key, files.ca].join('\0');
}

function foldersOf(config: ServerTlsConfig): string[] {
  const files = [config.certFile, config.keyFile, config.clientCaFile].filter(file => file !== undefined);
  return [...new Set(files.map(file => dirname(file)))];
}

// Out of watches (or none on this file system): the polling is left.
function watchFolder(folder: string, changed: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, changed);
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}
