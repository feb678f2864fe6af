/** Outputs that post something to an HTTP address: data and one pure function. */
import { z } from 'zod';
import {
  type Alert,
  type BatchLimits,
  type Cancellation,
  type Category,
  defineOutput,
  type Host,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  type Output,
  type OutputDefinition,
  type SendContext,
  type TemplateBody,
} from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { verdict as judge } from '../../core/http/verdict.ts';
import { keyMeta } from '../../core/keys.ts';
import { withStatus } from './answer.ts';
import { messageTemplate, templateProblems } from './message.ts';

/** Throws unless an answer means that the far side has accepted: what the status says, as one of our errors. */
export { answeredAt, excerptOf, retryAfterMs, verdict as judge } from '../../core/http/verdict.ts';

/** A request as an output describes it. */
export interface HttpMessage {
  url: string;
  /** POST when absent. */
  method?: HttpRequest['method'];
  /** Lower-case names. */
  headers?: Record<string, string>;
  /** The body as a JSON value; exact numbers (see core/alert/json.ts) are written digit for digit. */
  json?: unknown;
  /** The body as it is, instead of `json`. */
  body?: Buffer | string;
}

/** What a request for several alerts may need besides them and the settings. */
export type BatchContext = Pick<Host, 'outputs' | 'customFields' | 'templatedFields' | 'clock'>;

/** What a request may need besides alert and settings. */
export interface RequestContext extends BatchContext {
  /**
   * What the key `messageformat` makes of the alert: empty when the output has no such key, it is not set, or it failed
   * on this alert.
   */
  headline: string;
  /** Number of the try, see the contract. */
  attempt: number;
}

type Config<K extends z.ZodRawShape> = z.output<z.ZodObject<K>>;

/** What a plain HTTP output consists of. */
export interface HttpOutputDefinition<K extends z.ZodRawShape> {
  /** File name, configuration key and metric label. */
  name: string;
  title: string;
  category: Category;
  /** One sentence, with a link to the vendor's documentation. */
  docs: string;
  /** The output's own keys; the common ones for HTTP are added by core. */
  keys: K;
  /** See the contract. */
  inherits?: readonly string[];
  /** The keys that turn the output on when all of them are set. */
  enabledBy: (keyof K & string) | readonly (keyof K & string)[];
  /** Pure. What it throws makes the alert a dead letter, unless it is one of our errors. */
  request(alert: Alert, config: Config<K>, context: RequestContext): HttpMessage;
  /** With `batch`: one request for several alerts. Pure. */
  requestBatch?(alerts: readonly Alert[], config: Config<K>, context: BatchContext): HttpMessage;
  /**
   * Makes ready what the first alert needs over there; called each time the output is opened.
   * @throws what keeps the output closed; core opens it again later
   */
  prepare?(config: Config<K>, host: Host): Promise<void>;
  /** The client to send with, where a plain one does not do: one that adds tokens. */
  client?(config: Config<K>, host: Host): HttpClient;
  /** Signs the request just before it goes out. `now` is in milliseconds since the epoch. */
  sign?(request: HttpRequest, config: Config<K>, now: number): HttpRequest;
  /** For services that hide a status in the body of a 2xx: what the answer is judged by. Undefined for the answer's own. */
  status?(response: HttpResponse): number | undefined;
  /** The same for a refusal that means something else with this service than its status says. */
  refusalStatus?(response: HttpResponse): number | undefined;
  /**
   * For services that answer 2xx with an error inside; other answers are judged by their status.
   * @throws RetriableError | PermanentError | PartialError
   */
  verdict?(response: HttpResponse, alerts: readonly Alert[], config: Config<K>): void;
  batch?: BatchLimits;
  /** See the contract. */
  batchBy?(config: Config<K>): BatchLimits | undefined;
  concurrency?: number;
  check?(config: Config<K>): { path: string; message: string; hint?: string }[];
  /** Where it sends, for the probe; when absent, the first address among the settings. */
  address?(config: Config<K>): string;
  /** See the contract. */
  templateBody?(config: Config<K>): TemplateBody;
  /** See the contract. */
  ownHeaders?(config: Config<K>): readonly string[];
  /** See the contract; `request` then gets the settings of one far side. */
  split?(config: Config<K>): ReadonlyMap<string, Config<K>> | undefined;
  /** The smallest configuration that works. */
  example: z.input<z.ZodObject<K>>;
}

/** falcosidekick's content type. */
const JSON_TYPE = 'application/json; charset=utf-8';

/** Makes an output of its description: adds the common HTTP keys, sending, judging the answer, and the probe. */
export function defineHttpOutput<const K extends z.ZodRawShape>(
  definition: HttpOutputDefinition<K>,
): OutputDefinition<z.ZodObject<K>> {
  const { name, title, category, docs, keys, inherits, batch, batchBy, concurrency, example } = definition;
  const needed = [definition.enabledBy].flat() as string[];
  return defineOutput<z.ZodObject<K>>({
    name,
    title,
    category,
    docs,
    keys: z.object(keys),
    inherits,
    http: true,
    batch,
    batchBy,
    concurrency,
    check: config => [
      ...templateProblems('messageformat', messageFormat(config)),
      ...(definition.check?.(config) ?? []),
    ],
    templateBody: definition.templateBody,
    ownHeaders: definition.ownHeaders,
    split: definition.split,
    example,
    enabled: config => needed.every(key => isSet((config as Record<string, unknown>)[key])),
    async open(config, host) {
      await definition.prepare?.(config, host);
      return new HttpOutput(definition, config, host);
    },
  });
}

function messageFormat(config: object): string {
  return 'messageformat' in config ? String(config.messageformat) : '';
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== '' && value !== undefined && value !== null && value !== false;
}

class HttpOutput<K extends z.ZodRawShape> implements Output {
  readonly #definition: HttpOutputDefinition<K>;
  readonly #config: Config<K>;
  readonly #host: Host;
  readonly #http: HttpClient;
  readonly #secrets: readonly string[];
  readonly #headline: (alert: Alert) => string;

  constructor(definition: HttpOutputDefinition<K>, config: Config<K>, host: Host) {
    this.#definition = definition;
    this.#config = config;
    this.#host = host;
    this.#http = definition.client?.(config, host) ?? host.http;
    this.#secrets = secretTexts(definition.keys, config as Record<string, unknown>);
    this.#headline = messageTemplate(messageFormat(config), host);
  }

  async send(alerts: readonly Alert[], { signal, attempt }: SendContext): Promise<void> {
    const { verdict } = this.#definition;
    const response = await this.#http.send(this.#request(alerts, attempt), signal);
    judge(this.#uncovered(response), this.#host.clock.now(), this.#secrets);
    verdict?.(response, alerts, this.#config);
  }

  /** Asks the host for its front page: name, connection, TLS and proxy are in order when it answers anything. */
  async probe(signal: Cancellation): Promise<void> {
    const origin = this.#origin();
    if (origin === undefined) return;
    const request = { method: 'GET' as const, url: `${origin}/`, headers: {}, body: undefined };
    await this.#http.send(request, signal);
  }

  #request(alerts: readonly Alert[], attempt: number): HttpRequest {
    const { request, requestBatch, sign } = this.#definition;
    try {
      const message =
        requestBatch && alerts.length > 1
          ? requestBatch(alerts, this.#config, this.#host)
          : request(alerts[0]!, this.#config, this.#contextOf(alerts[0]!, attempt));
      const plain = toRequest(message);
      return sign ? sign(plain, this.#config, this.#host.clock.now()) : plain;
    } catch (error) {
      if (error instanceof PermanentError || error instanceof RetriableError) throw error;
      // Not its words: they may quote the alert or the configuration. The cause has them.
      throw new PermanentError(`the message cannot be built (${nameOf(error)})`, {
        reason: 'payload',
        cause: error,
      });
    }
  }

  #uncovered(response: HttpResponse): HttpResponse {
    const isAccepted = response.status >= 200 && response.status < 300;
    const status = this.#definition[isAccepted ? 'status' : 'refusalStatus']?.(response);
    return status === undefined ? response : withStatus(response, status);
  }

  #contextOf(alert: Alert, attempt: number): RequestContext {
    const { outputs, customFields, templatedFields, clock } = this.#host;
    return { headline: this.#headline(alert), attempt, outputs, customFields, templatedFields, clock };
  }

  #origin(): string | undefined {
    const { enabledBy, address } = this.#definition;
    const config = this.#config as Record<string, unknown>;
    const first = address ? [address(this.#config)] : [enabledBy].flat().map(key => config[key]);
    for (const value of [...first, ...Object.values(config)]) {
      const url = typeof value === 'string' ? URL.parse(value) : null;
      if (url && /^https?:$/.test(url.protocol)) return url.origin;
    }
    return undefined;
  }
}

function toRequest({ url, method = 'POST', headers, json, body }: HttpMessage): HttpRequest {
  const content = json === undefined ? body : JSON.stringify(json);
  const typed = content !== undefined && headers?.['content-type'] === undefined;
  return {
    method,
    url,
    headers: typed ? { 'content-type': JSON_TYPE, ...headers } : (headers ?? {}),
    body: content,
  };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** The texts that must not be shown, should an answer repeat them. */
function secretTexts(keys: z.ZodRawShape, config: Record<string, unknown>): string[] {
  return Object.entries(keys).flatMap(([key, schema]) => {
    const meta = keyMeta(schema as z.ZodType);
    const value = config[key];
    if (meta?.secret) return textsOf(value);
    if (meta?.shape && typeof value === 'object' && value !== null) {
      return secretTexts(meta.shape, value as Record<string, unknown>);
    }
    return [];
  });
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}
