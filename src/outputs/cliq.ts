import type { Alert } from '../core/contract.ts';
import { flag, secretUrl } from '../core/keys.ts';
import { icon, messageformat, outputformat } from './_kit/chat.ts';
import { facts } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncate } from './_kit/text.ts';

/** Longest text, in characters: www.zoho.com/cliq/help/restapi/v2 (message content). */
const MAX_TEXT = 10_000;
/** Cliq names no limit for a cell; this fills a screen. */
const MAX_CELL = 2_000;
const ORDER = ['rule', 'priority', 'hostname', 'fields', 'time'] as const;

const EMOJI = {
  Emergency: '🚨',
  Alert: '🟠',
  Critical: '🟠',
  Error: '🚨',
  Warning: '🟡',
  Notice: '🔵',
  Informational: '🟢',
  Debug: '⚪',
} as const;

function toTable(alert: Alert) {
  const rows = facts(alert, ORDER).map(({ title, value }) => ({
    field: title,
    value: truncate(value, MAX_CELL),
  }));
  return { type: 'table', data: { headers: ['field', 'value'], rows } };
}

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
  request(alert, { webhookurl, icon, outputformat, useemoji }, { headline }) {
    const sign = useemoji ? `${EMOJI[alert.priority]} ` : '';
    const text = headline || alert.output || alert.rule;
    const slides = [
      ...(headline !== '' && alert.output !== '' && outputformat !== 'fields'
        ? [{ type: 'text', data: truncate(alert.output, MAX_TEXT) }]
        : []),
      ...(outputformat !== 'text' ? [toTable(alert)] : []),
    ];
    return {
      url: webhookurl,
      headers: { 'content-type': 'application/json' },
      json: {
        text: truncate(sign + text, MAX_TEXT),
        bot: { name: 'Falcosidekick', image: icon },
        ...(slides.length > 0 && { slides }),
      },
    };
  },
  example: { webhookurl: 'https://cliq.example/api/v2/channelsbyname/alerts/message?zapikey=key' },
});
