/** An HTTP client for Google's APIs: it adds an access token to each request. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host, HttpClient, HttpRequest, HttpResponse } from '../../../core/contract.ts';
import { RetriableError } from '../../../core/errors.ts';
import { untilAborted } from '../settle.ts';
import {
  decodeCredentials,
  type GoogleConfig,
  type GoogleCredentials,
  parseCredentials,
} from './credentials.ts';
import { exchange } from './exchange.ts';

/** For every API of Google Cloud; what an account may do there, its roles say. */
export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform';

/** A new token is fetched this long before the old one ends, or after half of its life. */
const EARLY_MS = 5 * 60_000;
/** An old token is used no longer than this before its end. */
const LAST_USE_MS = 10_000;
/** How soon a new token is asked for again while the old one still serves. */
const AGAIN_MS = 30_000;
const TIMEOUT_MS = 15_000;

type Environment = Readonly<Record<string, string | undefined>>;

interface CachedToken {
  text: string;
  refreshAt: number;
  endsAt: number;
}

/**
 * A client for an address; nothing is asked before the first request. Credentials never go over plain HTTP: for such an
 * address, that of an emulator, it is the plain client.
 * @param env where GOOGLE_APPLICATION_CREDENTIALS and the like are looked up
 */
export function openGoogle(
  address: string,
  config: GoogleConfig,
  { http, clock }: Pick<Host, 'http' | 'clock'>,
  env: Environment = process.env,
): HttpClient {
  if (URL.parse(address)?.protocol === 'http:') return http;
  return new GoogleClient(config, { http, clock }, env);
}

class GoogleClient implements HttpClient {
  readonly #config: GoogleConfig;
  readonly #host: Pick<Host, 'http' | 'clock'>;
  readonly #env: Environment;
  #token: CachedToken | undefined;
  #asking: Promise<CachedToken> | undefined;

  constructor(config: GoogleConfig, host: Pick<Host, 'http' | 'clock'>, env: Environment) {
    this.#config = config;
    this.#host = host;
    this.#env = env;
  }

  /** @throws RetriableError with reason `auth` when there is no token to be had */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const known = this.#token;
    const token = await this.#current(signal);
    const response = await this.#sendWith(token, request, signal);
    // A token that was good may have been taken back; one that is new will not get better.
    if (response.status !== 401 || token !== known) return response;
    if (this.#token === token) this.#token = undefined;
    return this.#sendWith(await this.#current(signal), request, signal);
  }

  #sendWith({ text }: CachedToken, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const headers = { ...request.headers, authorization: `Bearer ${text}` };
    return this.#host.http.send({ ...request, headers }, signal);
  }

  async #current(signal: AbortSignal): Promise<CachedToken> {
    const known = this.#token;
    const now = this.#host.clock.now();
    if (known && now < known.refreshAt) return known;
    // One question for all who wait; it outlives the one who asked first.
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    try {
      return await untilAborted(this.#asking, signal);
    } catch (error) {
      if (signal.aborted || !known || now >= known.endsAt - LAST_USE_MS) throw error;
      known.refreshAt = now + AGAIN_MS;
      return known;
    }
  }

  async #ask(): Promise<CachedToken> {
    const { http, clock } = this.#host;
    const credentials = await this.#credentials();
    const now = clock.now();
    const { text, lifetimeMs } = await exchange(credentials, CLOUD_PLATFORM, {
      http,
      now,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      metadataHost: this.#env.GCE_METADATA_HOST || 'metadata.google.internal',
    });
    const refreshAt = now + lifetimeMs - Math.min(EARLY_MS, lifetimeMs / 2);
    this.#token = { text, refreshAt, endsAt: now + lifetimeMs };
    return this.#token;
  }

  /** Files are read each time: they may have been replaced. */
  async #credentials(): Promise<GoogleCredentials> {
    const { credentials, workloadidentity } = this.#config;
    if (workloadidentity) return { type: 'metadata' };
    try {
      if (credentials !== '') return decodeCredentials(credentials);
      const named = this.#env.GOOGLE_APPLICATION_CREDENTIALS;
      if (named) return parseCredentials(await readFile(named, 'utf8'));
      const found = await readFile(this.#gcloudFile(), 'utf8').catch(() => undefined);
      return found === undefined ? { type: 'metadata' } : parseCredentials(found);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code?.startsWith('E') ? `the file cannot be read (${code})` : message;
      throw new RetriableError(`cannot use the Google credentials: ${why}`, { reason: 'auth', cause: error });
    }
  }

  #gcloudFile(): string {
    const folder = this.#env.CLOUDSDK_CONFIG || join(this.#env.HOME || homedir(), '.config', 'gcloud');
    return join(folder, 'application_default_credentials.json');
  }
}
