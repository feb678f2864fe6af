import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/time.ts';
import { allFields } from '../_kit/fields.ts';
import { fitInto } from '../_kit/fit.ts';
import { truncate } from '../_kit/text.ts';

/** Longest text in characters "after entities parsing", without the signs of Markdown: core.telegram.org/bots/api#sendmessage. */
const MAX_TEXT = 4_096;
const MAX_NAME = 256;
const MAX_VALUE = 512;

/** What MarkdownV2 gives a meaning: core.telegram.org/bots/api#markdownv2-style. */
function escapeMarkdown(plain: string): string {
  return plain.replace(/[\\_*[\]()~`>#+\-=|{}.!]/g, '\\$&');
}

/** falcosidekick's text, each part cut before it is escaped. */
export function toMarkdown(alert: Alert): string {
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

  const list = allFields(alert);
  const total = MAX_TEXT - head(plain => plain).length - tail('').length;
  const perFact = field('', '').length;
  const wanted = list.reduce((sum, { title, value }) => sum + title.length + value.length + perFact, 0);
  const { text, facts } = fitInto(alert.output, list, {
    total,
    title: MAX_NAME,
    // Where not all fits, a long one is not to push out the others.
    value: alert.output.length + wanted <= total ? total : MAX_VALUE,
    items: Number.POSITIVE_INFINITY,
    perFact,
  });
  const fields = facts.map(({ title, value }) => field(escapeMarkdown(title), escapeMarkdown(value)));
  return head(escapeMarkdown) + fields.join('') + tail(escapeMarkdown(text));
}
