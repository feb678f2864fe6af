import { secretUrl } from '../core/keys.ts';
import { toAttached } from './_kit/attachment.ts';
import { FOOTER, footer, icon, messageformat, outputformat, PLAIN_ICON, username } from './_kit/chat.ts';
import { defineHttpOutput } from './_kit/http.ts';

/** Longer texts are spread over several posts: developers.mattermost.com/integrate/webhooks/incoming, "Tips". */
const MAX_TEXT = 16_383;
const ORDER = ['rule', 'hostname', 'priority', 'source', 'tags', 'fields', 'time'] as const;

export default defineHttpOutput({
  name: 'mattermost',
  title: 'Mattermost',
  category: 'chat',
  docs: 'Posts to a Mattermost channel through an incoming webhook, see https://developers.mattermost.com/integrate/webhooks/incoming.',
  keys: {
    webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
    footer,
    icon,
    username,
    outputformat,
    messageformat,
  },
  enabledBy: 'webhookurl',
  request: (alert, config, { headline }) => ({
    url: config.webhookurl,
    json: toAttached(
      alert,
      {
        ...config,
        footer: config.footer || FOOTER,
        icon: config.icon || PLAIN_ICON,
        order: ORDER,
        maxHeadline: MAX_TEXT,
      },
      headline,
    ),
  }),
  example: { webhookurl: 'https://mattermost.example/hooks/token' },
});
