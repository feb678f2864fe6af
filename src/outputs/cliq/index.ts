import { flag, secretUrl } from '../../core/keys.ts';
import { answeredObject } from '../_kit/answer.ts';
import { icon, messageformat, outputformat } from '../_kit/chat.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toMessage } from './message.ts';

export default defineHttpOutput({
  name: 'cliq',
  title: 'Zoho Cliq',
  category: 'chat',
  docs: 'Posts to a Zoho Cliq channel, see https://www.zoho.com/cliq/help/platform/post-to-channel.html.',
  keys: {
    webhookurl: secretUrl('URL of the channel with its `zapikey`; setting it turns the output on.'),
    icon,
    outputformat,
    messageformat,
    useemoji: flag('Whether a coloured sign for the priority leads the text.'),
  },
  enabledBy: 'webhookurl',
  request: (alert, config, { headline }) => ({
    url: config.webhookurl,
    headers: { 'content-type': 'application/json' },
    json: toMessage(alert, config, headline),
  }),
  // Too many requests are answered with a 400: help.zoho.com/portal/en/community/topic/zoho-cliq-api-rate-limit.
  refusalStatus: ({ body }) => (answeredObject(body).code === 'request_limit_exceeded' ? 429 : undefined),
  example: { webhookurl: 'https://cliq.example/api/v2/channelsbyname/alerts/message?zapikey=key' },
});
