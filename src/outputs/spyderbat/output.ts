import { gzipSync } from 'node:zlib';
import type { Alert, Cancellation, Host, HttpRequest, Output } from '../../core/contract.ts';
import { judge } from '../_kit/http.ts';
import { untilAborted } from '../_kit/settle.ts';
import { joinUrl } from '../_kit/url.ts';
import { toRecord } from './record.ts';

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
    this.#sources = joinUrl(config.apiurl, `/api/v1/org/${encodeURIComponent(config.orguid)}/source/`);
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
      url: `${this.#sources}${encodeURIComponent(this.#uid)}/data/sb-agent`,
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
    const known = await this.#ask(signal, { ...request, method: 'GET', body: undefined });
    if (!known.includes(JSON.stringify(this.#uid))) {
      const { source: name, sourcedescription: description } = this.#config;
      const body = JSON.stringify({ name, description, uid: this.#uid });
      const headers = { 'content-type': 'application/json' };
      await this.#ask(signal, { ...request, method: 'POST', headers, body });
    }
  }

  async #ask(signal: Cancellation, request: HttpRequest): Promise<string> {
    const { apikey } = this.#config;
    const headers = { ...request.headers, authorization: `Bearer ${apikey}` };
    const response = await this.#host.http.send({ ...request, headers }, signal);
    judge(response, this.#host.clock.now(), [apikey]);
    return response.body;
  }
}
