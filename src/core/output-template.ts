/**
 * `template` of every HTTP output: the user's own text, title or whole body in place of the output's. It works around
 * the output, which sees another alert or whose request gets another body, and knows nothing of it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Alert, withTexts } from './alert.ts';
import type { HttpClient, HttpRequest, Output, SendContext } from './contract.ts';
import { alertData, parseTemplate, type Template, templateProblem } from './template/index.ts';

/** Go templates over the alert; empty ones change nothing. */
export interface TemplateConfig {
  /** Gives the whole body of the request. */
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

export interface OutputTemplatesOptions {
  /** Headers that go over those of the output, names in any case: they may name another content type. */
  headers: Readonly<Record<string, string>>;
  /** Told of a template that could not be used for an alert; the alert goes out without it. */
  failed(error: unknown): void;
}

/** The templates of one output, parsed. */
export class OutputTemplates {
  readonly #body: Template | undefined;
  readonly #text: Template | undefined;
  readonly #title: Template | undefined;
  readonly #contentType: string | undefined;
  readonly #failed: (error: unknown) => void;
  /** The alert of the send that a request is made in: outputs do not say. */
  readonly #sending = new AsyncLocalStorage<Alert>();

  /** @throws TemplateError when one is no template */
  constructor(config: TemplateConfig, { headers, failed }: OutputTemplatesOptions) {
    const parse = (text: string) => (text === '' ? undefined : parseTemplate(text));
    this.#body = parse(config.body);
    this.#text = parse(config.text);
    this.#title = parse(config.title);
    const custom = Object.entries(headers).find(([name]) => name.trim().toLowerCase() === 'content-type');
    this.#contentType = custom?.[1];
    this.#failed = failed;
  }

  /** The client to hand to the output. */
  client(http: HttpClient): HttpClient {
    if (!this.#body) return http;
    return {
      send: (request, signal) => {
        const alert = this.#sending.getStore();
        return http.send(alert ? this.#withBody(request, alert) : request, signal);
      },
    };
  }

  /** `send` of the output, with the alerts as it is to see them. */
  send(output: Output, alerts: readonly Alert[], context: SendContext): Promise<void> {
    const seen = this.#text || this.#title ? alerts.map(alert => this.#withTexts(alert)) : alerts;
    if (!this.#body) return output.send(seen, context);
    // One alert: the configuration allows no batches beside a body.
    return this.#sending.run(alerts[0]!, () => output.send(seen, context));
  }

  #withTexts(alert: Alert): Alert {
    return withTexts(alert, {
      output: this.#render(this.#text, alert) || alert.output,
      rule: this.#render(this.#title, alert) || alert.rule,
    });
  }

  #withBody(request: HttpRequest, alert: Alert): HttpRequest {
    if (request.body === undefined || request.setup) return request;
    // What the template gives is neither compressed nor otherwise encoded.
    const { 'content-encoding': _, ...headers } = request.headers;
    const body = this.#render(this.#body, alert, this.#contentType ?? headers['content-type']);
    return body === undefined ? request : { ...request, headers, body };
  }

  #render(template: Template | undefined, alert: Alert, contentType = ''): string | undefined {
    try {
      const text = template?.render(alertData(alert));
      if (text !== undefined) checkBody(text, contentType);
      return text;
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }
}

/** @throws Error when the text cannot be what the content type says: JSON, or something that is no text at all */
function checkBody(text: string, contentType: string): void {
  if (/protobuf|grpc/i.test(contentType)) throw new Error(`a text cannot be ${contentType}`);
  // `application/x-ndjson` is not JSON as a whole.
  if (!/^[^;]*[/+]json\s*(;|$)/i.test(contentType)) return;
  try {
    JSON.parse(text);
  } catch (error) {
    // The parser's own words would quote the alert.
    throw new Error('the body is not JSON', { cause: error });
  }
}
