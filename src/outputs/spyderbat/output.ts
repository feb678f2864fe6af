import { gzipSync } from 'node:zlib';
import type { Alert, Cancellation, Host, HttpRequest, HttpResponse, Output } from '../../core/contract.ts';
import { toPathSegment } from '../../core/url-parts.ts';
import { judge } from '../_kit/http.ts';
import { untilAborted } from '../_kit/settle.ts';
import { joinUrl } from '../_kit/url.ts';
import { toRecord } from './record.ts';

/** A source for each machine of an organization, some hundred bytes each. */
const MAX_LIST_BYTES = 8 * 2 ** 20;

export interface SpyderbatConfig {
  orguid: string;
  apikey: string;
  apiurl: string;
  source: string;
  sourcedescription: string;
}

/** Sends to a source that it registers with the first alert. */
export class SpyderbatOutput implements Output {
  readonly #config: SpyderbatConfig;
  readonly #host: Host;
  readonly #sources: string;
  readonly #uid: string;
  /** Shared by all sends until it fails. */
  #registration: Promise<void> | undefined;

  constructor(config: SpyderbatConfig, host: Host) {
    this.#config = config;
    this.#host = host;
    this.#uid = `falcosidekick_${config.orguid}`;
    this.#sources = joinUrl(config.apiurl, `/api/v1/org/${toPathSegment(config.orguid)}/source/`);
  }

  async send([alert]: readonly Alert[], { signal }: { signal: Cancellation }): Promise<void> {
    this.#registration ??= this.#register(signal).catch(error => {
      this.#registration = undefined;
      throw error;
    });
    await untilAborted(this.#registration, signal);
    const record = JSON.stringify(toRecord(alert!, this.#host.clock.now()));
    await this.#ask(signal, {
      method: 'POST',
      url: `${this.#sources}${toPathSegment(this.#uid)}/data/sb-agent`,
      headers: { 'content-type': 'application/ndjson', 'content-encoding': 'gzip' },
      body: gzipSync(`${record}\n`),
    });
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#ask(signal, { method: 'GET', url: this.#sources, headers: {}, body: undefined });
  }

  /** Alerts are taken from sources that are known. With the first alert, so that it is tried again like one. */
  async #register(signal: Cancellation): Promise<void> {
    const request = { url: this.#sources, headers: {}, setup: true as const };
    const list = { method: 'GET', body: undefined, maxAnswerBytes: MAX_LIST_BYTES } as const;
    if (uidsOf((await this.#ask(signal, { ...request, ...list })).body).includes(this.#uid)) return;
    const { source: name, sourcedescription: description } = this.#config;
    const body = JSON.stringify({ name, description, uid: this.#uid });
    const headers = { 'content-type': 'application/json' };
    // Another replica may have been first.
    await this.#ask(signal, { ...request, method: 'POST', headers, body }, [409]);
  }

  /** @param alsoGood statuses that are no failure */
  async #ask(
    signal: Cancellation,
    request: HttpRequest,
    alsoGood: readonly number[] = [],
  ): Promise<HttpResponse> {
    const { apikey } = this.#config;
    const headers = { ...request.headers, authorization: `Bearer ${apikey}` };
    const response = await this.#host.http.send({ ...request, headers }, signal);
    if (!alsoGood.includes(response.status)) judge(response, this.#host.clock.now(), [apikey]);
    return response;
  }
}

/** Of the sources in an answer, as falcosidekick reads it; none of one that is no list. */
function uidsOf(body: string): unknown[] {
  try {
    const sources: unknown = JSON.parse(body);
    return Array.isArray(sources) ? sources.map(source => source?.uid) : [];
  } catch {
    return [];
  }
}
