import type { Alert } from '../../core/contract.ts';
import { PLAIN_ICON } from '../_kit/chat.ts';
import { facts } from '../_kit/fields.ts';
import { scale } from '../_kit/scale.ts';
import { truncate } from '../_kit/text.ts';

/** Longest text, in characters: www.zoho.com/cliq/help/restapi/v3/messageformat, "Plain text". */
const MAX_TEXT = 10_000;
/** Cliq names no limit for a cell; as long as falcosidekick lets a field get by default. */
const MAX_CELL = 4_096;
const ORDER = ['rule', 'priority', 'hostname', 'fields', 'time'] as const;

const EMOJI = scale({
  Emergency: '🚨',
  Alert: '🟠',
  Error: '🚨',
  Warning: '🟡',
  Notice: '🔵',
  Informational: '🟢',
  Debug: '⚪',
});

function toTable(alert: Alert) {
  const rows = facts(alert, ORDER).map(({ title, value }) => ({
    field: title,
    value: truncate(value, MAX_CELL),
  }));
  return { type: 'table', data: { headers: ['field', 'value'], rows } };
}

/** How a message looks. */
interface Look {
  icon: string;
  outputformat: 'all' | 'text' | 'fields';
  useemoji: boolean;
}

/** A message, with the alert below the headline where there is one. */
export function toMessage(alert: Alert, { icon, outputformat, useemoji }: Look, headline: string) {
  const sign = useemoji ? `${EMOJI[alert.priority]} ` : '';
  const below = headline !== '' && alert.output !== '' && outputformat !== 'fields';
  const slides = [
    ...(below ? [{ type: 'text', data: truncate(alert.output, MAX_TEXT) }] : []),
    ...(outputformat !== 'text' ? [toTable(alert)] : []),
  ];
  return {
    text: truncate(sign + (headline || alert.output || alert.rule), MAX_TEXT),
    bot: { name: 'Falcosidekick', image: icon || PLAIN_ICON },
    ...(slides.length > 0 && { slides }),
  };
}
