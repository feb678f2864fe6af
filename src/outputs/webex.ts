import type { Alert } from '../core/contract.ts';
import { secretUrl } from '../core/keys.ts';
import { allFields } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncateBytes } from './_kit/text.ts';

/** Longest message in bytes: developer.webex.com/docs/api/v1/messages/create-a-message. */
const MAX_BYTES = 7_439;
/** Of these for the parts before the fields, so that there is room for the rest. */
const MAX_RULE = 500;
const MAX_OUTPUT = 4_000;

/** falcosidekick's text, with its spelling and its blank lines. */
function toMarkdown({ rule, output, hostname, source, priority, tags, outputFields }: Alert): string {
  const lines = [
    `# Falco Rule '${truncateBytes(rule, MAX_RULE)}'`,
    '',
    `### ${truncateBytes(output, MAX_OUTPUT)}`,
    '',
    'Additional informations:',
    `  * Hostname: ${hostname}`,
    `  * Source:   ${source}  `,
    `  * Priority: ${priority}`,
    '  * Tags:',
    '    ',
    ...tags.flatMap(tag => [`    * ${tag}`, '    ']),
    '  * Fields:',
    '\t',
    ...allFields({ outputFields }, '<no value>').flatMap(({ title, value }) => [
      `\t* ${title}: ${value}`,
      '\t',
    ]),
    '',
  ];
  return truncateBytes(lines.join('\n'), MAX_BYTES);
}

export default defineHttpOutput({
  name: 'webex',
  title: 'Webex',
  category: 'chat',
  docs: 'Posts to a Webex space through an incoming webhook, see https://apphub.webex.com.',
  keys: {
    webhookurl: secretUrl('Incoming webhook URL; setting it turns the output on.'),
  },
  enabledBy: 'webhookurl',
  request: (alert, config) => ({ url: config.webhookurl, json: { markdown: toMarkdown(alert) } }),
  example: { webhookurl: 'https://webexapis.example/v1/webhooks/incoming/token' },
});
