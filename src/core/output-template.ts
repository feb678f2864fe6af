/**
 * `template` of every HTTP output: the user's own text, title or body in place of the output's. It works around the
 * output, which sees another alert or whose request gets another body.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Alert, withTemplated, withTexts } from './alert/alert.ts';
import { parseExact } from './alert/json.ts';
import type {
  HttpClient,
  HttpRequest,
  Output,
  OutputDefinition,
  SendContext,
  TemplateBody,
} from './contract.ts';
import { alertData, parseTemplate, type Template, templateProblem } from './template/index.ts';

/** Go templates over the alert; empty ones change nothing. */
export interface TemplateConfig {
  /** Gives the body of the request, or what stands for the alert in it. */
  body: string;
  /** Stands in for the alert's text. */
  text: string;
  /** Stands in for the alert's rule. */
  title: string;
}

/** What is wrong with the templates; empty when they can be used. */
export function templateProblems(config: TemplateConfig): { path: string; message: string }[] {
  return Object.entries(config).flatMap(([path, text]) => {
    const message = templateProblem(text);
    return message === undefined ? [] : [{ path, message }];
  });
}

/** What `template.body` stands in for with these settings. */
export function templateBodyOf(definition: OutputDefinition, config: Record<string, unknown>): TemplateBody {
  return definition.templateBody?.(config) ?? 'request';
}

export interface OutputTemplatesOptions {
  /** Headers that go over those of the output, names in any case: they may name another content type. */
  headers: Readonly<Record<string, string>>;
  /** What the body stands in for. */
  body: TemplateBody;
  /** Told of a template that could not be used for an alert; the alert goes out without it. */
  failed(error: unknown): void;
}

/** The templates of one output, parsed. */
export class OutputTemplates {
  readonly #body: Template | undefined;
  readonly #text: Template | undefined;
  readonly #title: Template | undefined;
  readonly #place: TemplateBody;
  readonly #contentType: string | undefined;
  readonly #failed: (error: unknown) => void;
  /** The alert of the send that a request is made in: outputs do not say. */
  readonly #sending = new AsyncLocalStorage<Alert>();

  /** @throws TemplateError when one is no template */
  constructor(config: TemplateConfig, { headers, body, failed }: OutputTemplatesOptions) {
    const parse = (text: string) => (text === '' ? undefined : parseTemplate(text));
    this.#body = parse(config.body);
    this.#text = parse(config.text);
    this.#title = parse(config.title);
    this.#place = body;
    const custom = Object.entries(headers).find(([name]) => name.trim().toLowerCase() === 'content-type');
    this.#contentType = custom?.[1];
    this.#failed = failed;
  }

  /** The client to hand to the output. */
  client(http: HttpClient): HttpClient {
    if (!this.#body || this.#place !== 'request') return http;
    return {
      send: (request, until) => {
        const alert = this.#sending.getStore();
        return http.send(alert ? this.#withBody(request, alert) : request, until);
      },
    };
  }

  /** `send` of the output, with the alerts as it is to see them. */
  send(output: Output, alerts: readonly Alert[], context: SendContext): Promise<void> {
    const seen = alerts.map(alert => this.#seen(alert));
    if (!this.#body || this.#place !== 'request') return output.send(seen, context);
    // One alert: the configuration allows no batches beside such a body.
    return this.#sending.run(alerts[0]!, () => output.send(seen, context));
  }

  #seen(alert: Alert): Alert {
    const worded = this.#text || this.#title ? this.#withTexts(alert) : alert;
    if (!this.#body || (this.#place !== 'json' && this.#place !== 'text')) return worded;
    const own = this.#render(this.#body, alert, this.#place === 'json' ? toOneLine : plain);
    return own ? withTemplated(worded, own) : worded;
  }

  #withTexts(alert: Alert): Alert {
    return withTexts(alert, {
      output: this.#render(this.#text, alert, plain) || alert.output,
      rule: this.#render(this.#title, alert, plain) || alert.rule,
    });
  }

  #withBody(request: HttpRequest, alert: Alert): HttpRequest {
    if (request.body === undefined || request.setup) return request;
    // What the template gives is neither compressed nor otherwise encoded.
    const { 'content-encoding': _, ...headers } = request.headers;
    if (request.textType) headers['content-type'] = request.textType;
    const contentType = this.#contentType ?? headers['content-type'] ?? '';
    const body = this.#render(this.#body, alert, text => checked(text, contentType));
    return body === undefined ? request : { ...request, headers, body };
  }

  /** Undefined for a template that fails, or whose text `use` does not take. */
  #render(template: Template | undefined, alert: Alert, use: (text: string) => string): string | undefined {
    try {
      return template && use(template.render(alertData(alert)));
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }
}

const plain = (text: string) => text;

/**
 * The same JSON on one line, for APIs that read by the line; long numbers digit for digit.
 * @throws Error when it is no JSON
 */
function toOneLine(text: string): string {
  const value = readJson(() => parseExact(text));
  return /[\r\n]/.test(text) ? JSON.stringify(value) : text;
}

/** @throws Error when the text cannot be what the content type says: JSON, or something that is no text at all */
function checked(text: string, contentType: string): string {
  if (/protobuf|grpc/i.test(contentType)) throw new Error(`a text cannot be ${contentType}`);
  // `application/x-ndjson` is not JSON as a whole.
  if (/^[^;]*[/+]json\s*(;|$)/i.test(contentType)) readJson(() => JSON.parse(text));
  return text;
}

function readJson<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    // The parser's own words would quote the alert.
    throw new Error('the body is not JSON', { cause: error });
  }
}
