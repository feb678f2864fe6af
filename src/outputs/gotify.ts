import { priorityRank } from '../core/alert/priority.ts';
import type { Alert } from '../core/contract.ts';
import { oneOf, secret, url } from '../core/keys.ts';
import { formatGoTime } from '../core/template/time.ts';
import { allFields } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { joinUrl } from './_kit/url.ts';

/** falcosidekick's text, as a list of Markdown or without its signs. */
function toText(alert: Alert, markdown: boolean): string {
  const label = (name: string) => (markdown ? `- **${name}**:` : `${name}:`);
  const member = (name: string) => (markdown ? `\t- **${name}**:` : `- ${name}:`);
  const lines = [
    `${label('Priority')} ${alert.priority}`,
    `${label('Rule')} ${alert.rule}`,
    `${label('Output')} ${alert.output}`,
    `${label('Source')} ${alert.source}`,
    `${label('Tags')} ${alert.tags.map(tag => `${tag} `).join('')}`,
    `${label('Time')} ${formatGoTime(alert.time)}`,
    label('Fields'),
    ...allFields(alert, '<no value>').map(({ title, value }) => `${member(title)} ${value}`),
    '',
  ];
  return lines.join('\n');
}

export default defineHttpOutput({
  name: 'gotify',
  title: 'Gotify',
  category: 'chat',
  docs: 'Pushes each alert through a Gotify server, see https://gotify.net/docs/pushmsg.',
  keys: {
    hostport: url('Address of the server; setting it turns the output on.'),
    token: secret('Token of the Gotify application.'),
    format: oneOf(
      'How a message is written; `text` is the same as `plaintext`, `json` sends the alert as JSON.',
      ['markdown', 'plaintext', 'text', 'json'],
      'markdown',
      { otherwise: 'markdown' },
    ),
  },
  enabledBy: 'hostport',
  request(alert, { hostport, token, format }) {
    const markdown = format === 'markdown';
    return {
      url: joinUrl(hostport, '/message'),
      headers: { ...(token !== '' && { 'x-gotify-key': token }) },
      json: {
        title: `[Falco] [${alert.priority}] ${alert.rule}`,
        priority: priorityRank(alert.priority),
        message: format === 'json' ? alert.json : toText(alert, markdown),
        extras: { 'client::display': { contentType: markdown ? 'markdown' : 'plaintext' } },
      },
    };
  },
  example: { hostport: 'https://gotify.example', token: 'application-token' },
});
