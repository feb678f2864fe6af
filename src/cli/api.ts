/** The running daemon's API as commands use it: one connection, answers or a sentence about what is wrong. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { parseExact } from '../core/alert/json.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { percentDecoded } from '../core/url-parts.ts';
import { CliError, EXIT } from './exit.ts';
import type { Env } from './io.ts';
import { describe, unreachable } from './unreachable.ts';

/** Where the daemon is and how it lets one in. */
export interface ApiOptions {
  /** Its address: `http://127.0.0.1:2801`; may hold a user name and password, and a secret path. */
  url: string;
  /** Bearer token; empty sends none. */
  token: string;
  /** PEM file with the authority of its certificate. */
  ca?: string;
  /** PEM files with the client's certificate and its key, for a daemon that wants one. */
  cert?: string;
  key?: string;
  /** Takes any certificate. */
  insecure?: boolean;
}

/** Query parameters; those undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | readonly number[] | undefined>>;

interface Call {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  /** Longest wait for the answer to begin, in milliseconds; 0 waits for ever. */
  timeoutMs?: number;
}

const ANSWER_TIMEOUT_MS = 30_000;
// Longer than any alert that a daemon with a sane body limit holds.
const MAX_LINE = 64 * 2 ** 20;

/** A client of the daemon's API. Close it, or the process waits for its connection. */
export class ApiClient {
  /** The daemon's address as it may be shown. */
  readonly url: string;
  readonly #base: string;
  readonly #authorization: string | undefined;
  readonly #dispatcher: Dispatcher;

  /** @throws CliError (usage) when the address or a file cannot be used */
  constructor(options: ApiOptions, env: Env) {
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new CliError(EXIT.usage, '--url: expected an address such as http://127.0.0.1:2801');
    }
    // A path may be the daemon's secret one.
    this.url = url.origin;
    this.#base = url.origin + url.pathname.replace(/\/+$/, '');
    this.#authorization = options.token ? `Bearer ${options.token}` : basic(url);
    const connect = {
      timeout: 5000,
      rejectUnauthorized: !options.insecure,
      ...(options.ca ? { ca: readPem('--ca', options.ca) } : {}),
      ...clientCertificate(options),
    };
    const limits = { connect, requestTls: connect, bodyTimeout: 0, headersTimeout: 0 };
    this.#dispatcher = isLoopback(url.hostname)
      ? new Agent(limits)
      : new EnvHttpProxyAgent({
          ...limits,
          httpProxy: env.http_proxy ?? env.HTTP_PROXY ?? '',
          httpsProxy: env.https_proxy ?? env.HTTPS_PROXY ?? '',
          noProxy: env.no_proxy ?? env.NO_PROXY ?? '',
        });
  }

  /**
   * Calls `/api/v1/<path>` and reads its JSON answer; numbers of alerts stay exact (see core/alert/json.ts).
   * @throws CliError (unreachable) when nothing answers, (failure) when the answer is an error
   */
  async call<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.#send(`/api/v1/${path}`, call);
    const text = await response.body.text();
    if (response.statusCode === 204 || text === '') return undefined as T;
    try {
      return parseExact(text) as T;
    } catch {
      throw notTiercel(this.url);
    }
  }

  /** Reads `/api/v1/<path>` line by line as it comes. Ends when the daemon ends it or the signal aborts. */
  async *lines(path: string, call: Call): AsyncGenerator<string> {
    const response = await this.#send(`/api/v1/${path}`, call);
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of response.body) {
        rest += decoder.decode(chunk as Buffer, { stream: true });
        const lines = rest.split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line.trim() !== '') yield line;
        if (rest.length > MAX_LINE) throw notTiercel(this.url);
      }
    } catch (error) {
      if (call.signal?.aborted) return;
      if (error instanceof CliError) throw error;
      throw new CliError(EXIT.unreachable, `the daemon at ${this.url} went away`);
    }
    if (rest.trim() !== '') yield rest;
  }

  /**
   * Finds out whether it is a Tiercel daemon that answers; one that lets nobody in without credentials is one.
   * @throws CliError (unreachable) when nothing answers, (failure) when something else does
   */
  async identify(): Promise<void> {
    const response = await this.#request('/api/v1', { timeoutMs: 5000 });
    const text = await response.body.text();
    const { statusCode, headers } = response;
    if (statusCode === 401 && String(headers['content-type']).startsWith('application/problem+json')) return;
    if (statusCode >= 500) throw new CliError(EXIT.failure, `${this.url} answers ${statusCode}`);
    if (statusCode !== 200 || !isOwnName(text)) throw notTiercel(this.url);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #send(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    const response = await this.#request(path, call);
    if (response.statusCode >= 400) throw await refused(this.url, response);
    return response;
  }

  async #request(path: string, call: Call): Promise<Dispatcher.ResponseData> {
    const timeout =
      call.timeoutMs === 0 ? undefined : AbortSignal.timeout(call.timeoutMs ?? ANSWER_TIMEOUT_MS);
    try {
      return await request(this.#base + path + toSearch(call.query), {
        method: call.method ?? 'GET',
        headers: {
          accept: 'application/json',
          ...(this.#authorization ? { authorization: this.#authorization } : {}),
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        dispatcher: this.#dispatcher,
        signal: either(call.signal, timeout),
      });
    } catch (error) {
      throw unreachable(this.url, timeout?.aborted ? 'no answer in time' : describe(error), error);
    }
  }
}

/** Whether this is what `GET /api/v1` answers. */
function isOwnName(text: string): boolean {
  try {
    return (JSON.parse(text) as { name?: unknown } | null)?.name === 'tiercel';
  } catch {
    return false;
  }
}

function basic({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined;
  const credentials = `${percentDecoded(username)}:${percentDecoded(password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function either(first: AbortSignal | undefined, second: AbortSignal | undefined): AbortSignal | undefined {
  return first && second ? AbortSignal.any([first, second]) : (first ?? second);
}

function toSearch(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) search.append(name, String(item));
    }
  }
  return search.size > 0 ? `?${search}` : '';
}

/** The list in an answer of the API. @throws CliError (failure) when there is none */
export function itemsOf<T>(answer: unknown): T[] {
  const items = (answer as { items?: unknown } | undefined)?.items;
  if (Array.isArray(items)) return items as T[];
  throw new CliError(
    EXIT.failure,
    'the daemon answers something else than a list',
    'are both of the same version?',
  );
}

/** Whether a host name means this machine: no proxy leads there. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|\[::\])$/i.test(hostname);
}

function clientCertificate({ cert, key }: ApiOptions): { cert?: string; key?: string } {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) {
    throw new CliError(EXIT.usage, '--cert and --key belong together: give both');
  }
  const pair = { cert: readPem('--cert', cert), key: readPem('--key', key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new CliError(EXIT.usage, `--cert, --key: cannot be used (${(error as Error).message})`);
  }
  return pair;
}

function readPem(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `${option}: cannot read ${file}: ${fileTrouble(error)}`);
  }
}

function notTiercel(url: string): CliError {
  return new CliError(EXIT.failure, `what answers at ${url} is no Tiercel daemon`, 'check --url');
}

/** The API explains a refusal as problem+json (RFC 9457). */
async function refused(url: string, response: Dispatcher.ResponseData): Promise<CliError> {
  const text = (await response.body.text()).slice(0, 10_000);
  const status = response.statusCode;
  let problem: { title?: unknown; detail?: unknown } | undefined;
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    if (status === 404 || status === 400) return notTiercel(url);
  }
  const said = [problem?.title, problem?.detail].filter(part => typeof part === 'string').join(': ');
  const hint =
    status === 401 || status === 403
      ? 'give the token with --token or TIERCEL_TOKEN; changes want the admin token'
      : undefined;
  return new CliError(EXIT.failure, said || `the daemon answers ${status}`, hint);
}
