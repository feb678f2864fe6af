import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { type Alert, defineOutput, type Host, type HttpRequest, type Output } from '../core/contract.ts';
import { type JsonValue, toText } from '../core/json.ts';
import { secret, text, url } from '../core/keys.ts';
import { judge } from './_kit/http.ts';
import { untilAborted } from './_kit/settle.ts';
import { toNanos } from './_kit/times.ts';
import { joinUrl } from './_kit/url.ts';

const LEVELS = {
  Emergency: 'critical',
  Alert: 'high',
  Critical: 'critical',
  Error: 'high',
  Warning: 'medium',
  Notice: 'low',
  Informational: 'info',
  Debug: 'info',
} as const;

const keys = z.object({
  orguid: text('Id of the organization; setting it turns the output on.'),
  apikey: secret('API key.'),
  apiurl: url('Address of the API.', undefined, { fallback: 'https://api.spyderbat.com' }),
  source: text('Name that the source of the alerts is registered under.', 'falcosidekick'),
  sourcedescription: text('Description of the source.'),
});

type SpyderbatConfig = z.output<typeof keys>;

const toNumber = (value: JsonValue | undefined) =>
  /^\d{1,15}$/.test(toText(value)) ? Number(toText(value)) : undefined;

/** Seconds of the system call, or of the alert where there is none. */
function toSeconds(alert: Alert): number {
  const nanos = toText(alert.outputFields['evt.time']);
  return Number((/^\d{10,19}$/.test(nanos) ? BigInt(nanos) : toNanos(alert)) / 1_000_000_000n);
}

/** The text without the time and priority that Falco puts in front, as words. */
function toWords(output: string): string[] {
  const words = output.split(' ');
  return /^\d\d:\d\d:\d\d[\d.]*: \w+ ./.test(output) ? words.slice(2) : words;
}

/** A record of schema falco_alert. @param now milliseconds since the epoch */
export function toRecord(alert: Alert, now: number) {
  const { outputFields } = alert;
  const pid = toNumber(outputFields['proc.pid']);
  const args = toText(outputFields['proc.cmdline']);
  const container = toText(outputFields['container.id']);
  return {
    schema: 'falco_alert::1.0.0',
    id: alert.uuid,
    monotonic_time: Number(toNanos(alert) % 1_000_000_000n),
    orc_time: Math.floor(now / 1000),
    time: toSeconds(alert),
    ...(pid !== undefined && { pid }),
    level: LEVELS[alert.priority],
    msg: toWords(alert.output),
    ...(args !== '' && { args }),
    ...(container !== '' && { container }),
  };
}

class SpyderbatOutput implements Output {
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

  async send([alert]: readonly Alert[], { signal }: { signal: AbortSignal }): Promise<void> {
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

  async probe(signal: AbortSignal): Promise<void> {
    await this.#ask(signal, { method: 'GET', url: this.#sources, headers: {}, body: undefined });
  }

  /** Alerts are taken from sources that are known. With the first alert, so that it is tried again like one. */
  async #register(signal: AbortSignal): Promise<void> {
    const request = { url: this.#sources, headers: {}, setup: true as const };
    const known = await this.#ask(signal, { ...request, method: 'GET', body: undefined });
    if (!known.includes(JSON.stringify(this.#uid))) {
      const { source: name, sourcedescription: description } = this.#config;
      const body = JSON.stringify({ name, description, uid: this.#uid });
      const headers = { 'content-type': 'application/json' };
      await this.#ask(signal, { ...request, method: 'POST', headers, body });
    }
  }

  async #ask(signal: AbortSignal, request: HttpRequest): Promise<string> {
    const { apikey } = this.#config;
    const headers = { ...request.headers, authorization: `Bearer ${apikey}` };
    const response = await this.#host.http.send({ ...request, headers }, signal);
    judge(response, this.#host.clock.now(), [apikey]);
    return response.body;
  }
}

export default defineOutput({
  name: 'spyderbat',
  title: 'Spyderbat',
  category: 'siem',
  docs: 'Sends each alert to Spyderbat, see https://docs.spyderbat.com.',
  http: true,
  keys,
  enabled: config => config.orguid !== '',
  open: async (config, host) => new SpyderbatOutput(config, host),
  example: { orguid: 'organization', apikey: 'api-key' },
});
