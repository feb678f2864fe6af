import type { IncomingWebhookSendArguments } from '@slack/webhook';
import { z } from 'zod';
import { type Alert, defineOutput } from '../../core/contract.ts';
import { secretUrl, text } from '../../core/keys.ts';
import { toAttached } from '../_kit/attachment.ts';
import { footer, icon, messageformat, outputformat, username } from '../_kit/chat.ts';
import { messageTemplate, templateProblems } from '../_kit/message.ts';
import { openWebhook } from './post.ts';

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
    const post = await openWebhook(config.webhookurl, host);
    const headline = messageTemplate(config.messageformat, host);
    return {
      send: ([alert], { signal }) => post(toMessage(alert!, config, headline(alert!)), signal),
    };
  },
  example: { webhookurl: 'https://hooks.slack.example/services/T00/B00/token' },
});
