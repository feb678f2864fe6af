import { type JsonObject, toText } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';
import { truncate } from '../_kit/text.ts';

/** Events whose summary is longer are refused: developer.pagerduty.com/docs/send-alert-event. */
export const MAX_SUMMARY = 1024;
/** Larger events are refused: developer.pagerduty.com/docs/events-api-v2-overview. The rest of the event needs little. */
const MAX_DETAILS_BYTES = 480 * 1024;
const MAX_DETAIL = 4096;

/** Output fields, and what of the alert PagerDuty has no place for. */
export function toDetails(alert: Alert): JsonObject {
  const { rule, priority, source, tags, hostname } = alert;
  const details: JsonObject = {
    ...alert.outputFields,
    rule,
    priority,
    source,
    ...(tags.length > 0 && { tags }),
    ...(hostname !== '' && { hostname }),
    ...(alert.output.length > MAX_SUMMARY && { output: alert.output }),
  };
  if (Buffer.byteLength(JSON.stringify(details)) <= MAX_DETAILS_BYTES) return details;
  return shortened(details);
}

/** As many details as there is room for, long ones cut. */
function shortened(details: JsonObject): JsonObject {
  const kept: Record<string, string> = {};
  let room = MAX_DETAILS_BYTES;
  for (const [name, value] of Object.entries(details).reverse()) {
    const text = truncate(toText(value), MAX_DETAIL);
    room -= Buffer.byteLength(JSON.stringify([name, text]));
    if (room < 0) break;
    kept[name] = text;
  }
  return kept;
}
