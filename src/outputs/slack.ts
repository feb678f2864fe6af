import type { HttpResponse } from '../core/contract.ts';
import { secretUrl, text } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { toAttached } from './_kit/attachment.ts';
import { FOOTER, footer, icon, messageformat, outputformat, username } from './_kit/chat.ts';
import { defineHttpOutput } from './_kit/http.ts';

const ORDER = ['rule', 'priority', 'source', 'hostname', 'tags', 'fields', 'time'] as const;

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
function hiddenStatus({ body }: HttpResponse): number | undefined {
  const { ok, error } = answeredObject(body);
  return ok === false ? (PASSING[String(error)] ?? 400) : undefined;
}

export default defineHttpOutput({
  name: 'slack',
  title: 'Slack',
  category: 'chat',
  docs: 'Posts to a Slack channel through an incoming webhook, see https://api.slack.com/messaging/webhooks.',
  keys: {
    webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
    channel: text('Channel to post to, for webhooks that allow to choose one.'),
    footer,
    icon,
    username,
    outputformat,
    messageformat,
  },
  enabledBy: 'webhookurl',
  // The message: api.slack.com/reference/messaging/attachments.
  request: (alert, config, { headline }) => ({
    url: config.webhookurl,
    json: toAttached(alert, { ...config, footer: config.footer || FOOTER, order: ORDER }, headline),
  }),
  status: hiddenStatus,
  example: { webhookurl: 'https://hooks.slack.example/services/T00/B00/token' },
});
