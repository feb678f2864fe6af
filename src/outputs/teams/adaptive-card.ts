import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/time.ts';
import { tellingFacts } from '../_kit/fields.ts';
import { fitInto, JSON_BYTES, jsonBytes, type Measure } from '../_kit/fit.ts';
import { scale } from '../_kit/scale.ts';
import { truncate } from '../_kit/text.ts';
import { bytesOf, type Look, PER_FACT } from './look.ts';

/**
 * A message has about 28 KB (learn.microsoft.com/connectors/teams, "Message size limits"), counted in UTF-16 by what
 * users have seen: stackoverflow.com/questions/78034694.
 */
const MAX_ADAPTIVE = 28_000;
const UTF16_BYTES: Measure = {
  size: text => Math.max(2 * JSON.stringify(text).length, jsonBytes(text)),
  most: 2 * JSON_BYTES.most,
};

const STYLE = scale({ Emergency: 'attention', Warning: 'warning', Notice: 'accent', Debug: 'default' });

/** Text that is shown as it is; other elements take it for Markdown, links and all. */
function literal(...inlines: { text: string; weight?: 'Bolder'; size?: 'Medium'; isSubtle?: boolean }[]) {
  return { type: 'RichTextBlock', inlines: inlines.map(inline => ({ type: 'TextRun', ...inline })) };
}

function toRow(title: string, value: string) {
  return { ...literal({ text: `${title}: `, weight: 'Bolder' }, { text: value }), spacing: 'Small' };
}

/** The message of workflows with an Adaptive Card: learn.microsoft.com/connectors/teams (webhook trigger). */
export function toAdaptiveCard(alert: Alert, { activityimage, outputformat }: Look) {
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
    measure: UTF16_BYTES,
  });
  return build(
    shown.text,
    shown.facts.map(({ title, value }) => toRow(title, value)),
  );
}
