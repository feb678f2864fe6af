import { secretUrl } from '../core/keys.ts';
import { messageformat, outputformat } from './_kit/chat.ts';
import { tellingFacts } from './_kit/fields.ts';
import { fitInto, JSON_BYTES } from './_kit/fit.ts';
import { defineHttpOutput } from './_kit/http.ts';

/**
 * A message has 32,000 bytes at most (developers.google.com/workspace/chat/create-messages), its frame and all JSON
 * included here; a card has 100 widgets (developers.google.com/workspace/chat/api/reference/rest/v1/cards).
 */
const ROOM = {
  total: 31_000,
  title: 500,
  value: 3_500,
  items: 100,
  perFact: JSON.stringify({ keyValue: { topLabel: '', content: '' } }).length,
  measure: JSON_BYTES,
};
const ORDER = ['rule', 'priority', 'source', 'hostname', 'fields', 'tags', 'time'] as const;

export default defineHttpOutput({
  name: 'googlechat',
  title: 'Google Chat',
  category: 'chat',
  docs: 'Posts to a Google Chat space through an incoming webhook, see https://developers.google.com/workspace/chat/quickstart/webhooks.',
  keys: {
    webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
    outputformat,
    messageformat,
  },
  enabledBy: 'webhookurl',
  request(alert, { webhookurl, outputformat }, { headline }) {
    const cardless = outputformat === 'text';
    const { text, facts } = cardless
      ? fitInto(headline || alert.output || alert.rule, [], ROOM)
      : fitInto(headline, tellingFacts(alert, ORDER), ROOM);
    const widgets = facts.map(({ title, value }) => ({ keyValue: { topLabel: title, content: value } }));
    const card = { header: { title: '', subtitle: '' }, sections: [{ widgets }] };
    return { url: webhookurl, json: { ...(text !== '' && { text }), ...(!cardless && { cards: [card] }) } };
  },
  example: { webhookurl: 'https://chat.googleapis.example/v1/spaces/S/messages?key=key&token=token' },
});
