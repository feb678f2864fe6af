import type { FetchFunction, IncomingWebhookSendArguments } from '@slack/webhook';
import { z } from 'zod';
import { type Alert, defineOutput, type HttpResponse } from '../core/contract.ts';
import { secretUrl, text } from '../core/keys.ts';
import { answeredObject, withStatus } from './_kit/answer.ts';
import { toAttached } from './_kit/attachment.ts';
import { footer, icon, messageformat, outputformat, username } from './_kit/chat.ts';
import { judge } from './_kit/http.ts';
import { messageTemplate, templateProblems } from './_kit/message.ts';

const ORDER = ['rule', 'priority', 'source', 'hostname', 'tags', 'fields', 'time'] as const;

const keys = z.object({
  webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
  channel: text('Channel to post to, for webhooks that allow to choose one.'),
  footer,
  icon,
  username,
  outputformat,
  messageformat,
});

type SlackConfig = Omit<z.output<typeof keys>, 'webhookurl' | 'messageformat'>;

/** The message for an alert: api.slack.com/reference/messaging/attachments. */
export function toMessage(alert: Alert, config: SlackConfig, headline = ''): IncomingWebhookSendArguments {
  return toAttached(alert, { ...config, order: ORDER }, headline);
}

export default defineOutput({
  name: 'slack',
  title: 'Slack',
  category: 'chat',
  docs: 'Posts to a Slack channel through an incoming webhook, see https://api.slack.com/messaging/webhooks.',
  http: true,
  keys,
  enabled: config => config.webhookurl !== '',
  check: config => templateProblems('messageformat', config.messageformat),
  async open(config, host) {
    const { IncomingWebhook } = await import('@slack/webhook');
    const headline = messageTemplate(config.messageformat, host);
    return {
      async send([alert], { signal }) {
        const message = toMessage(alert!, config, headline(alert!));
        let answer: HttpResponse | undefined;
        let failure: unknown;
        // The package posts through our sender; what came back is judged here, so that it neither retries nor
        // hides Retry-After.
        const fetch: FetchFunction = async (url, init) => {
          try {
            const body = String(init?.body ?? '');
            const headers = { 'content-type': 'application/json; charset=utf-8' };
            answer = await host.http.send({ method: 'POST', url: String(url), headers, body }, signal);
          } catch (error) {
            failure = error;
          }
          return accepted(answer?.body ?? '');
        };
        await new IncomingWebhook(config.webhookurl, { fetch, retryConfig: { retries: 0 } }).send(message);
        if (!answer) throw failure;
        judge(withStatus(answer, realStatus(answer)), host.clock.now());
      },
    };
  },
  example: { webhookurl: 'https://hooks.slack.example/services/T00/B00/token' },
});

/** Codes of api.slack.com/methods/chat.postMessage#errors after which the same message may be taken. */
const PASSING: Record<string, number> = {
  rate_limited: 429,
  ratelimited: 429,
  fatal_error: 500,
  internal_error: 500,
  request_timeout: 408,
  service_unavailable: 503,
};

/** Slack's API, and what speaks like it, says `"ok": false` with a code inside a 200. */
function realStatus({ status, body }: HttpResponse): number {
  const { ok, error } = answeredObject(body);
  return status < 300 && ok === false ? (PASSING[String(error)] ?? 400) : status;
}

/** An answer that the package takes for a success. */
function accepted(body: string): Awaited<ReturnType<FetchFunction>> {
  return {
    ok: true,
    status: 200,
    statusText: 'OK',
    url: '',
    headers: new Headers(),
    arrayBuffer: async () => new TextEncoder().encode(body).buffer as ArrayBuffer,
    json: async () => body,
    text: async () => body,
  };
}
