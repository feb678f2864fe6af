import { secretUrl } from '../../core/keys.ts';
import { icon, PLAIN_ICON } from '../_kit/chat.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toEmbed } from './embed.ts';

export default defineHttpOutput({
  name: 'discord',
  title: 'Discord',
  category: 'chat',
  docs: 'Posts to a Discord channel through a webhook, see https://discord.com/developers/docs/resources/webhook.',
  keys: {
    webhookurl: secretUrl('Webhook URL; setting it turns the output on.'),
    icon,
  },
  enabledBy: 'webhookurl',
  request: (alert, { webhookurl, icon }) => ({
    url: webhookurl,
    json: { content: '', avatar_url: icon || PLAIN_ICON, embeds: [toEmbed(alert)] },
  }),
  example: { webhookurl: 'https://discord.example/api/webhooks/1/token' },
});
