import type { Alert } from '../core/contract.ts';
import { secret, text, url } from '../core/keys.ts';
import { formatGoTime } from '../core/template/time.ts';
import { answeredObject } from './_kit/answer.ts';
import { allFields } from './_kit/fields.ts';
import { fitInto } from './_kit/fit.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncate } from './_kit/text.ts';
import { joinUrl } from './_kit/url.ts';

/** Longest text in characters, signs of Markdown not counted: core.telegram.org/bots/api#sendmessage. */
const MAX_TEXT = 4_096;
const MAX_NAME = 256;
const MAX_VALUE = 512;

/** What MarkdownV2 gives a meaning: core.telegram.org/bots/api#markdownv2-style. */
function escapeMarkdown(plain: string): string {
  return plain.replace(/[\\_*[\]()~`>#+\-=|{}.!]/g, '\\$&');
}

/** falcosidekick's text, each part cut before it is escaped. */
function toMarkdown(alert: Alert): string {
  const heads = {
    Time: formatGoTime(alert.time),
    Source: truncate(alert.source, MAX_NAME),
    Hostname: truncate(alert.hostname, MAX_NAME),
    Tags: truncate(alert.tags.map(tag => `${tag} `).join(''), MAX_VALUE),
  };
  const head = (write: (plain: string) => string) =>
    [
      `*${write(`[Falco] [${alert.priority}] ${truncate(alert.rule, MAX_NAME)}`)}*`,
      '',
      ...Object.entries(heads).map(([name, value]) => `• *${name}*: ${write(value)}`),
      '• *Fields*:',
      '',
    ].join('\n');
  const field = (title: string, value: string) => `\t  • *${title}*: ${value}\n`;
  const tail = (output: string) => `\n\n**Output**: ${output}\n`;

  const { text, facts } = fitInto(alert.output, allFields(alert), {
    total: MAX_TEXT - head(plain => plain).length - tail('').length,
    title: MAX_NAME,
    value: MAX_VALUE,
    items: Number.POSITIVE_INFINITY,
    perFact: field('', '').length,
  });
  const fields = facts.map(({ title, value }) => field(escapeMarkdown(title), escapeMarkdown(value)));
  return head(escapeMarkdown) + fields.join('') + tail(escapeMarkdown(text));
}

export default defineHttpOutput({
  name: 'telegram',
  title: 'Telegram',
  category: 'chat',
  docs: 'Sends each alert to a Telegram chat through a bot, see https://core.telegram.org/bots/api#sendmessage.',
  keys: {
    token: secret('Token of the bot; setting it and `chatid` turns the output on.'),
    chatid: text('Number of the chat, or the name of a public channel with its @.'),
    messagethreadid: text('Number of the topic in a group with topics.'),
    host: url('Address of the Bot API.', undefined, { fallback: 'https://api.telegram.org' }),
  },
  enabledBy: ['token', 'chatid'],
  request: (alert, { host, token, chatid, messagethreadid }) => ({
    url: joinUrl(host, `/bot${token}/sendMessage`),
    json: {
      text: toMarkdown(alert),
      parse_mode: 'MarkdownV2',
      disable_web_page_preview: true,
      chat_id: chatid,
      ...(messagethreadid !== '' && { message_thread_id: messagethreadid }),
    },
  }),
  status(response) {
    const { ok, error_code } = answeredObject(response.body);
    if (ok !== false) return undefined;
    return typeof error_code === 'number' && error_code >= 400 ? error_code : 400;
  },
  example: { token: '123456:bot-token', chatid: '-1001234567890' },
});
