import type { Alert } from '../../core/contract.ts';
import { formatGoTime } from '../../core/template/time.ts';
import { facts } from '../_kit/fields.ts';
import { fitInto, JSON_BYTES, jsonBytes } from '../_kit/fit.ts';
import { truncate } from '../_kit/text.ts';
import { bytesOf, type Look, PER_FACT } from './look.ts';

/** Connectors refuse cards from about 18,000 bytes on: stackoverflow.com/questions/58474127. */
const MAX_CONNECTOR = 18_000;
const MAX_CONNECTOR_TEXT = 8_500;
/** What a fact takes besides its name and value. */
const FACT_BYTES = bytesOf({ name: '', value: '' });

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

/** The card of connectors: learn.microsoft.com/outlook/actionable-messages/message-card-reference. */
export function toMessageCard(alert: Alert, { activityimage, outputformat }: Look) {
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
    perFact: FACT_BYTES,
    measure: JSON_BYTES,
  });
  return build(
    shown.text,
    shown.facts.map(({ title, value }) => ({ name: title, value })),
  );
}
