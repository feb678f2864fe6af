/** An HTTP client for Google's APIs: it adds an access token to each request. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host, HttpClient } from '../../../core/contract.ts';
import { RetriableError } from '../../../core/errors.ts';
import { BearerClient } from '../bearer.ts';
import { openTokenService } from '../token-service.ts';
import {
  decodeCredentials,
  type GoogleConfig,
  type GoogleCredentials,
  parseCredentials,
} from './credentials.ts';
import { exchange } from './exchange.ts';

/** For every API of Google Cloud; what an account may do there, its roles say. */
export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

const TIMEOUT_MS = 15_000;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A client for an address; nothing is asked before the first request. Credentials never go over plain HTTP: for such an
 * address, that of an emulator, it is the plain client. Without a token to be had, `send` throws a RetriableError with
 * reason `auth`.
 * @param env where GOOGLE_APPLICATION_CREDENTIALS and the like are looked up
 */
export function openGoogle(
  address: string,
  config: GoogleConfig,
  host: Pick<Host, 'http' | 'clock' | 'connect' | 'tls'>,
  env: Environment = process.env,
): HttpClient {
  if (URL.parse(address)?.protocol === 'http:') return host.http;
  const http = openTokenService(host);
  return new BearerClient(host, async () =>
    exchange(await findCredentials(config, env), CLOUD_PLATFORM, {
      http,
      now: host.clock.now(),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      metadataHost: env.GCE_METADATA_HOST || 'metadata.google.internal',
    }),
  );
}

/**
 * The application default credentials, unless the settings have others. Files are read each time: they may have been
 * replaced.
 */
async function findCredentials(
  { credentials, workloadidentity }: GoogleConfig,
  env: Environment,
): Promise<GoogleCredentials> {
  if (workloadidentity) return { type: 'metadata' };
  try {
    if (credentials !== '') return decodeCredentials(credentials);
    const named = env.GOOGLE_APPLICATION_CREDENTIALS;
    if (named) return parseCredentials(await readFile(named, 'utf8'));
    const found = await readFile(gcloudFile(env), 'utf8').catch(() => undefined);
    return found === undefined ? { type: 'metadata' } : parseCredentials(found);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code?.startsWith('E') ? `the file cannot be read (${code})` : message;
    throw new RetriableError(`cannot use the Google credentials: ${why}`, { reason: 'auth', cause: error });
  }
}

function gcloudFile(env: Environment): string {
  const folder = env.CLOUDSDK_CONFIG || join(env.HOME || homedir(), '.config', 'gcloud');
  return join(folder, 'application_default_credentials.json');
}
