import { secretUrl, text } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { toAttached } from './_kit/attachment.ts';
import { icon, messageformat, outputformat, PLAIN_ICON, username } from './_kit/chat.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncate } from './_kit/text.ts';

/**
 * Rocket.Chat's default for "Maximum Allowed Characters Per Message", which hooks obey since
 * github.com/RocketChat/Rocket.Chat/pull/36163.
 */
const MAX_TEXT = 5_000;
const ORDER = ['rule', 'priority', 'source', 'tags', 'fields', 'time', 'hostname'] as const;

export default defineHttpOutput({
  name: 'rocketchat',
  title: 'Rocket.Chat',
  category: 'chat',
  docs: 'Posts to a Rocket.Chat channel through an incoming webhook, see https://docs.rocket.chat/docs/integrations.',
  keys: {
    webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
    // github.com/RocketChat/Rocket.Chat/pull/37450 tells it, and would change it.
    footer: text('Has no effect, as Rocket.Chat shows no footers; known so that files of falcosidekick fit.'),
    icon,
    username,
    outputformat,
    messageformat,
  },
  enabledBy: 'webhookurl',
  request(alert, config, { headline }) {
    const style = {
      ...config,
      footer: '',
      icon: config.icon || PLAIN_ICON,
      order: ORDER,
      maxHeadline: MAX_TEXT,
    };
    const message = toAttached(alert, style, headline);
    const text = message.text ?? truncate(alert.output || alert.rule, MAX_TEXT);
    return {
      url: config.webhookurl,
      json: config.outputformat === 'text' ? { ...message, text, attachments: undefined } : message,
    };
  },
  status: response => (answeredObject(response.body).success === false ? 400 : undefined),
  example: { webhookurl: 'https://chat.example/hooks/id/token' },
});
