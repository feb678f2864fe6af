import type { Alert } from '../../core/contract.ts';
import { type Fact, facts as factsOf } from '../_kit/fields.ts';
import { fitInto } from '../_kit/fit.ts';

const FENCE = '```';

/**
 * In characters: discord.com/developers/docs/resources/message#embed-object-embed-limits. An embed has 6,000 in all,
 * 4,096 in its description, 25 fields with 256 in the name and 1,024 in the value.
 */
const ROOM = {
  total: 6_000,
  text: 4_096,
  title: 256,
  value: 1_024 - 2 * FENCE.length,
  items: 25,
  perFact: 2 * FENCE.length,
};
const ORDER = ['rule', 'priority', 'source', 'hostname', 'fields', 'tags', 'time'] as const;

const COLORS = {
  Emergency: '15158332',
  Alert: '11027200',
  Critical: '15105570',
  Error: '15844367',
  Warning: '12745742',
  Notice: '3066993',
  Informational: '3447003',
  Debug: '12370112',
} as const;

/** A field has to have a name, and a fence inside of a value would end its block: the backticks are set apart. */
function toLegal(fact: Fact): Fact {
  const { title, value, isField } = fact;
  const isNamed = title.trim() !== '';
  const breaksOut = isField && value.includes(FENCE);
  if (isNamed && !breaksOut) return fact;
  return {
    title: isNamed ? title : '(no name)',
    value: breaksOut ? value.replaceAll(FENCE, '`\u200b`\u200b`') : value,
    isField,
  };
}

function toField({ title, value, isField }: Fact) {
  return { name: title, value: isField ? FENCE + value + FENCE : value, inline: true };
}

/** An empty value is refused, but not within a fence. */
function isShown({ value, isField }: Fact): boolean {
  return Boolean(isField) || value.trim() !== '';
}

export function toEmbed(alert: Alert) {
  const all = factsOf(alert, ORDER).filter(isShown).map(toLegal);
  const { text, facts } = fitInto(alert.output, all, ROOM);
  return {
    title: '',
    url: '',
    description: text,
    color: COLORS[alert.priority],
    fields: facts.map(toField),
  };
}
