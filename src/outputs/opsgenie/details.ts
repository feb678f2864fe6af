import type { Alert } from '../../core/contract.ts';
import { type Tag, toTags } from '../_kit/tags.ts';
import { truncate } from '../_kit/text.ts';

/** All details together, in characters; more is refused: docs.opsgenie.com/docs/alert-api#create-alert. */
const MAX_DETAILS = 8_000;

/** What of the alert fits, the alert's own parts before its output fields. */
export function toDetails(alert: Alert): Record<string, string> {
  const parts: Tag[] = [
    ['source', alert.source],
    ['rule', alert.rule],
    ['priority', alert.priority],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join(', ')],
  ];
  const all = toTags(alert, parts, name => name.replaceAll('.', '_') || 'field');
  let room = MAX_DETAILS;
  const details: Tag[] = [];
  for (const [index, [name, value]] of all.entries()) {
    if (value === '' && index < parts.length) continue;
    const shown = truncate(value, Math.max(0, room - name.length));
    room -= name.length + shown.length;
    if (room < 0) break;
    details.push([name, shown]);
  }
  return Object.fromEntries(details);
}
