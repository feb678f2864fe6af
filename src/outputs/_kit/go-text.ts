/** Values as Go prints them, the form in which falcosidekick's messages show what is not a text. */
import { isRawNumber, type JsonValue } from '../../core/alert/json.ts';
import { byCodeUnit } from './text.ts';

/** Go's `%v`: `[a b]` for a list, `map[k:v]` for a map, the source digits of a number. `none` stands for null. */
export function toGoText(value: JsonValue, none = '<nil>'): string {
  if (typeof value === 'string') return value;
  if (value === null) return none;
  if (typeof value !== 'object') return String(value);
  if (isRawNumber(value)) return value.rawJSON;
  if (isList(value)) return `[${value.map(item => toGoText(item)).join(' ')}]`;
  const members = Object.keys(value).sort(byCodeUnit);
  return `map[${members.map(name => `${name}:${toGoText(value[name]!)}`).join(' ')}]`;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
