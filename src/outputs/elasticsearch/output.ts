import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Alert, Cancellation, Host, HttpRequest, Output, SendContext } from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { toPathSegment, toUrlTail } from '../../core/url-parts.ts';
import { basicAuth } from '../_kit/auth.ts';
import { judge } from '../_kit/http.ts';
import { settle } from '../_kit/settle.ts';
import { joinUrl } from '../_kit/url.ts';
import { type Refusal, readOutcome, readOutcomes, toBulk, toError } from './bulk.ts';
import { blamedFields, indexName, toDocument } from './document.ts';
import type { Config } from './keys.ts';

/** An outcome takes some 250 bytes, an error three times that. */
export const MAX_ITEMS = 1000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** How many fields one after the other are given up for the sake of the rest of an alert. */
const MAX_MENDS = 8;
/** Fields that are told of in the log. */
const MAX_TOLD = 100;

const compress = promisify(gzip);

/** An alert on its way, with the fields that had to be left out. */
interface Item {
  alert: Alert;
  position: number;
  without: Set<string>;
}

export class Elasticsearch implements Output {
  readonly #config: Config;
  readonly #host: Host;
  readonly #flatten: boolean;
  readonly #isPacked: boolean;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #secrets: readonly string[];
  /** Fields that were left out of some alert. */
  readonly #told = new Set<string>();

  constructor(config: Config, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#flatten = config.flattenfields || config.createindextemplate;
    this.#isPacked = config.enablecompression;
    this.#headers = { ...headersOf(config), ...(this.#isPacked && { 'content-encoding': 'gzip' }) };
    this.#secrets = [config.password, config.apikey].filter(Boolean);
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const failed = new Map<number, RetriableError | PermanentError>();
    let items: Item[] = alerts.map((alert, position) => ({ alert, position, without: new Set() }));
    for (let round = 0; items.length > 0; round++) {
      const again: Item[] = [];
      try {
        const { refusals, response } = await this.#store(items, signal);
        for (const [index, item] of items.entries()) {
          const refusal = refusals[index];
          if (!refusal) continue;
          if (round < MAX_MENDS && this.#mend(item, refusal)) again.push(item);
          else failed.set(item.position, toError(refusal, response, this.#host.clock.now(), this.#secrets));
        }
      } catch (error) {
        // What an earlier round has stored must not be sent again.
        if (round === 0 || !(error instanceof RetriableError || error instanceof PermanentError)) throw error;
        for (const { position } of items) failed.set(position, error);
      }
      items = again;
    }
    settle(alerts.length, failed);
  }

  /** Whether the server answers and knows who asks. */
  async probe(signal: Cancellation): Promise<void> {
    const request = { method: 'GET' as const, url: joinUrl(this.#config.hostport, '/'), body: undefined };
    const response = await this.#host.http.send({ ...request, headers: headersOf(this.#config) }, signal);
    // What a key for one index may not see is no sign of trouble.
    if (response.status === 401) judge(response, this.#host.clock.now(), this.#secrets);
  }

  /** What became of each item. */
  async #store(items: readonly Item[], signal: Cancellation) {
    const { clock, http } = this.#host;
    const { index, suffix, type, batching } = this.#config;
    const name = indexName(index, suffix, clock.now());
    const documents = items.map(({ alert, without }) =>
      toDocument(alert, { flatten: this.#flatten, without }),
    );
    if (!batching.enabled && items.length === 1) {
      const path = `/${toPathSegment(name)}/${toUrlTail(type)}`;
      const body = this.#isPacked ? await compress(documents[0]!) : documents[0]!;
      const response = await http.send(this.#request(path, body), signal);
      return { response, refusals: [readOutcome(response)] };
    }
    const bulk = toBulk(documents, name);
    const request = this.#request('/_bulk', this.#isPacked ? await compress(bulk) : bulk);
    const response = await http.send({ ...request, maxAnswerBytes: MAX_ANSWER_BYTES }, signal);
    judge(response, clock.now(), this.#secrets);
    return { response, refusals: readOutcomes(response, items.length) };
  }

  #request(path: string, body: string | Buffer): HttpRequest {
    const { hostport, pipeline } = this.#config;
    // `type` may have brought a query with it.
    const mark = path.includes('?') ? '&' : '?';
    const query = pipeline === '' ? '' : `${mark}pipeline=${encodeURIComponent(pipeline)}`;
    return { method: 'POST', url: joinUrl(hostport, path + query), headers: this.#headers, body };
  }

  /** Leaves out the fields that the index has another type for. False when that is not what is wrong. */
  #mend({ alert, without }: Item, { status, reason }: Refusal): boolean {
    if (status !== 400 || alert.templated) return false;
    const blamed = blamedFields(reason, alert, this.#flatten).filter(field => !without.has(field));
    for (const field of blamed) {
      without.add(field);
      this.#tell(field);
    }
    return blamed.length > 0;
  }

  /** Says once of each field that alerts go without it. */
  #tell(field: string): void {
    if (this.#told.has(field) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(field);
    const { id, log } = this.#host;
    log.warn({ output: id, field }, 'the index has another type for a field: alerts go without it');
  }
}

export function headersOf({ apikey, username, password }: Config): Record<string, string> {
  return {
    'content-type': 'application/json; charset=utf-8',
    ...(apikey !== '' && { authorization: `APIKey ${apikey}` }),
    ...basicAuth(username, password),
  };
}
