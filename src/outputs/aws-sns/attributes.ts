import { isRawNumber, type JsonValue, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { ILLEGAL, MAX_ATTRIBUTES } from './text.ts';

interface Attribute {
  type: 'String' | 'Number';
  value: string;
}

/**
 * A field as an attribute's name, `proc.aname[2]` → `proc.aname.2`. SNS takes letters, digits, `_`, `-` and `.`, the last
 * neither doubled nor at an end: docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html.
 */
export function toAttributeName(field: string): string {
  return field
    .replaceAll(']', '')
    .replaceAll('[', '.')
    .replace(/[^A-Za-z0-9_.-]/g, '_')
    .replace(/\.{2,}/g, '.')
    .slice(0, 256)
    .replace(/^\.|\.$/g, '')
    .replace(/^(aws|amazon)\./i, '_$1.');
}

function toAttribute(value: JsonValue): Attribute | undefined {
  if (typeof value === 'string') {
    const legal = value.replace(ILLEGAL, '\ufffd');
    return legal === '' ? undefined : { type: 'String', value: legal };
  }
  if (typeof value !== 'number' && !isRawNumber(value)) return undefined;
  const digits = toText(value);
  // What SNS takes for a number ends at 10^126.
  return { type: Math.abs(Number(digits)) < 1e126 ? 'Number' : 'String', value: digits };
}

/** Facts and fields by attribute name; as many as there is room for, the facts first. */
export function toAttributes(alert: Alert): Map<string, Attribute> {
  const { priority, rule, source, hostname } = alert;
  const facts = { priority, rule, source, tags: alert.tags.join(','), hostname };
  const found = new Map<string, Attribute>();
  let room = MAX_ATTRIBUTES;
  for (const [field, value] of [...Object.entries(facts), ...Object.entries(alert.outputFields)]) {
    const name = toAttributeName(field);
    const attribute = toAttribute(value);
    if (!attribute || name === '' || found.has(name)) continue;
    const size = name.length + attribute.type.length + Buffer.byteLength(attribute.value);
    if (size > room) continue;
    room -= size;
    found.set(name, attribute);
  }
  return found;
}
