import type { Alert } from '../core/contract.ts';
import { oneOf, secretUrl, text } from '../core/keys.ts';
import { formatGoTime } from '../core/template/time.ts';
import { ICON } from './_kit/chat.ts';
import { facts, tellingFacts } from './_kit/fields.ts';
import { fitInto, jsonBytes } from './_kit/fit.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncate } from './_kit/text.ts';

/** Hosts of workflows, which take Adaptive Cards only; all others are taken for connectors. */
const WORKFLOW_HOST =
  /(^|\.)(logic\.azure|powerautomate|powerplatform)\.(com|us|cn)$|\.powerplatform\.microsoft\.us$/;

/**
 * A message has about 28 KB (learn.microsoft.com/microsoftteams/limits-specifications-teams), counted in UTF-16 by what
 * users have seen: stackoverflow.com/questions/78034694.
 */
const MAX_ADAPTIVE = 28_000;
const utf16Bytes = (text: string) => Math.max(2 * JSON.stringify(text).length, jsonBytes(text));

/** Connectors refuse cards from about 18,000 bytes on: stackoverflow.com/questions/58474127. */
const MAX_CONNECTOR = 18_000;
const MAX_CONNECTOR_TEXT = 8_500;

const THEME = {
  Emergency: 'e20b0b',
  Alert: 'ff5400',
  Critical: 'ff9000',
  Error: 'ffc700',
  Warning: 'ffff00',
  Notice: '5bffb5',
  Informational: '68c2ff',
  Debug: 'ccfff2',
} as const;

const STYLE = {
  Emergency: 'attention',
  Alert: 'attention',
  Critical: 'attention',
  Error: 'attention',
  Warning: 'warning',
  Notice: 'accent',
  Informational: 'accent',
  Debug: 'default',
} as const;

interface Look {
  activityimage: string;
  outputformat: 'all' | 'text' | 'facts';
}

const PER_FACT = { title: 300, value: 1_500, items: Number.POSITIVE_INFINITY };

/** The card of connectors: learn.microsoft.com/outlook/actionable-messages/message-card-reference. */
function toMessageCard(alert: Alert, { activityimage, outputformat }: Look) {
  const list =
    outputformat === 'text' ? [] : facts(alert, ['rule', 'priority', 'source', 'hostname', 'fields', 'tags']);
  const build = (output: string, entries: { name: string; value: string }[]) => ({
    '@type': 'MessageCard',
    // A card without one is refused.
    summary: output || truncate(alert.rule, 256),
    themeColor: THEME[alert.priority],
    sections: [
      {
        activityTitle: 'Falcosidekick',
        activitySubtitle: formatGoTime(alert.time),
        ...(activityimage !== '' && { activityImage: activityimage }),
        text: outputformat === 'facts' ? '' : output,
        ...(outputformat !== 'text' && { facts: entries }),
      },
    ],
  });
  // The text is in the card twice.
  const summary = Math.min(jsonBytes(alert.output), MAX_CONNECTOR_TEXT);
  const shown = fitInto(alert.output, list, {
    ...PER_FACT,
    total: MAX_CONNECTOR - bytesOf(build('', [])) - summary,
    text: MAX_CONNECTOR_TEXT,
    perFact: bytesOf({ name: '', value: '' }),
    size: jsonBytes,
  });
  return build(
    shown.text,
    shown.facts.map(({ title, value }) => ({ name: title, value })),
  );
}

/** Text that is shown as it is; other elements take it for Markdown, links and all. */
function literal(...inlines: { text: string; weight?: 'Bolder'; size?: 'Medium'; isSubtle?: boolean }[]) {
  return { type: 'RichTextBlock', inlines: inlines.map(inline => ({ type: 'TextRun', ...inline })) };
}

function toRow(title: string, value: string) {
  return { ...literal({ text: `${title}: `, weight: 'Bolder' }, { text: value }), spacing: 'Small' };
}

/** The message of workflows with an Adaptive Card: learn.microsoft.com/connectors/teams (webhook trigger). */
function toAdaptiveCard(alert: Alert, { activityimage, outputformat }: Look) {
  const image = { type: 'Image', url: activityimage, size: 'Small', altText: 'Falcosidekick' };
  const heading = [
    literal({ text: truncate(alert.rule, 256), weight: 'Bolder', size: 'Medium' }),
    { ...literal({ text: formatGoTime(alert.time), isSubtle: true }), spacing: 'None' },
  ];
  const columns = [
    ...(activityimage === '' ? [] : [{ type: 'Column', width: 'auto', items: [image] }]),
    { type: 'Column', width: 'stretch', items: heading },
  ];
  const build = (output: string, rows: object[]) => ({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          msteams: { width: 'Full' },
          body: [
            {
              type: 'Container',
              style: STYLE[alert.priority],
              bleed: true,
              items: [{ type: 'ColumnSet', columns }],
            },
            ...(output === '' ? [] : [literal({ text: output })]),
            ...rows,
          ],
        },
      },
    ],
  });
  const list =
    outputformat === 'text' ? [] : tellingFacts(alert, ['priority', 'source', 'hostname', 'fields', 'tags']);
  const shown = fitInto(outputformat === 'facts' ? '' : alert.output, list, {
    ...PER_FACT,
    total: MAX_ADAPTIVE - 2 * bytesOf(build('-', [])),
    perFact: 2 * bytesOf(toRow('', '')),
    size: utf16Bytes,
  });
  return build(
    shown.text,
    shown.facts.map(({ title, value }) => toRow(title, value)),
  );
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function isWorkflow(url: string): boolean {
  return WORKFLOW_HOST.test(URL.parse(url)?.hostname ?? '');
}

export default defineHttpOutput({
  name: 'teams',
  title: 'Microsoft Teams',
  category: 'chat',
  docs: 'Posts to a Microsoft Teams channel through a workflow or an old connector, see https://support.microsoft.com/office/create-incoming-webhooks-with-workflows-for-microsoft-teams-8ae491c7-0394-4861-ba59-055e33f75498.',
  keys: {
    webhookurl: secretUrl('Address of the workflow or the connector; setting it turns the output on.'),
    activityimage: text("URL of the sender's picture; empty for none.", ICON),
    outputformat: oneOf(
      'What a message shows: text and facts, or one of them.',
      ['all', 'text', 'facts'],
      'all',
    ),
    card: oneOf(
      'Form of the message: `adaptive` for workflows, `message` for connectors; `auto` goes by the host of the address.',
      ['auto', 'adaptive', 'message'],
      'auto',
    ),
  },
  enabledBy: 'webhookurl',
  request(alert, { webhookurl, card, ...look }) {
    const adaptive = card === 'auto' ? isWorkflow(webhookurl) : card === 'adaptive';
    return {
      url: webhookurl,
      json: adaptive ? toAdaptiveCard(alert, look) : toMessageCard(alert, look),
    };
  },
  // Connectors answer 200 whatever Teams said to them:
  // learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (rate limiting).
  status(response) {
    const refused = /Microsoft Teams endpoint returned HTTP error (\d{3})/.exec(response.body);
    return refused ? Number(refused[1]) : undefined;
  },
  example: {
    webhookurl:
      'https://prod-00.westeurope.logic.azure.com/workflows/id/triggers/manual/paths/invoke?sig=signature',
  },
});
