import type { FetchFunction, IncomingWebhookSendArguments } from '@slack/webhook';
import { z } from 'zod';
import { type Alert, defineOutput, type HttpResponse } from '../core/contract.ts';
import { oneOf, secretUrl, text } from '../core/keys.ts';
import { COLORS, facts } from './_kit/fields.ts';
import { judge } from './_kit/http.ts';
import { messageTemplate, templateProblems } from './_kit/message.ts';
import { truncate } from './_kit/text.ts';

/** Slack cuts messages above 40,000 characters: api.slack.com/changelog/2018-04-truncating-really-long-messages. */
const MAX_TEXT = 40_000;
/** One field fills a screen at most; Block Kit's own limit for a field's text: api.slack.com/reference/block-kit/blocks. */
const MAX_FIELD = 2_000;
/** falcosidekick puts fields of this many characters or more across the whole width. */
const WIDE = 36;

const keys = z.object({
  webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
  channel: text('Channel to post to, for webhooks that allow to choose one.'),
  footer: text('Text below each message.', 'https://github.com/falcosecurity/falcosidekick'),
  icon: text(
    "URL of the sender's picture.",
    'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png',
  ),
  username: text('Name of the sender.', 'Falcosidekick'),
  outputformat: oneOf(
    'What a message shows: text and fields, or one of them.',
    ['all', 'text', 'fields'],
    'all',
  ),
  messageformat: text(
    'Go template of a text above the alert, over the alert (`.Rule`, `.OutputFields`, ...).',
  ),
});

type SlackConfig = Omit<z.output<typeof keys>, 'webhookurl' | 'messageformat'>;

/** The message for an alert: api.slack.com/reference/messaging/attachments. */
export function toMessage(alert: Alert, config: SlackConfig, headline = ''): IncomingWebhookSendArguments {
  const shown = truncate(alert.output, MAX_TEXT);
  const attachment = {
    fallback: shown,
    color: COLORS[alert.priority],
    ...(config.outputformat !== 'fields' && { text: shown }),
    ...(config.outputformat !== 'text' && {
      fields: facts(alert).map(({ title, value, isField }) => ({
        title,
        value: truncate(value, MAX_FIELD),
        short: isField ? [...value].length < WIDE : title !== 'time',
      })),
      ...(config.footer !== '' && { footer: config.footer }),
    }),
  };
  return {
    ...(headline !== '' && { text: truncate(headline, MAX_TEXT) }),
    username: config.username,
    icon_url: config.icon,
    ...(config.channel !== '' && { channel: config.channel }),
    attachments: [attachment],
  };
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
        judge(answer, host.clock.now());
      },
    };
  },
  example: { webhookurl: 'https://hooks.slack.example/services/T00/B00/token' },
});

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
