import { createHash } from 'node:crypto';
import type { Alert } from '../core/contract.ts';
import { type JsonObject, toText } from '../core/json.ts';
import { list, oneOf, secret } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { truncate } from './_kit/text.ts';
import { toRfc3339Seconds } from './_kit/times.ts';

/** Events whose summary is longer are refused: developer.pagerduty.com/docs/send-alert-event. */
const MAX_SUMMARY = 1024;
/** Larger events are refused: developer.pagerduty.com/docs/events-api-v2-overview. The rest of the event needs little. */
const MAX_DETAILS_BYTES = 480 * 1024;
const MAX_DETAIL = 4096;

const HOSTS = { us: 'events.pagerduty.com', eu: 'events.eu.pagerduty.com' };

/**
 * The key by which PagerDuty tells incidents apart: alerts with the same values of these fields share one; where all
 * values are empty, those of one rule, host and source do. Without fields there is none, as in falcosidekick.
 */
export function toDedupKey(alert: Alert, fields: readonly string[]): string | undefined {
  if (fields.length === 0) return undefined;
  const { uuid, rule, hostname, source, priority } = alert;
  const known: JsonObject = { ...alert.outputFields, uuid, rule, hostname, source, priority };
  const values = fields.map(field => (Object.hasOwn(known, field) ? toText(known[field]) : ''));
  const parts = values.some(Boolean) ? [fields, values] : [rule, hostname, source];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Output fields, and what of the alert PagerDuty has no place for. */
function toDetails(alert: Alert): JsonObject {
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

export default defineHttpOutput({
  name: 'pagerduty',
  title: 'PagerDuty',
  category: 'alerting',
  docs: 'Opens an incident for each alert through the Events API, see https://developer.pagerduty.com/docs/send-alert-event.',
  keys: {
    routingkey: secret(
      'Integration key of a service or event orchestration; setting it turns the output on.',
    ),
    region: oneOf('Service region of the account.', ['us', 'eu'], 'us', { otherwise: 'us' }),
    dedupfields: list(
      'Output fields, or `uuid`, `rule`, `hostname`, `source`, `priority`: alerts alike in all of them share an incident. `uuid` keeps a repeated request from opening a second incident. Empty: no key, as falcosidekick.',
    ),
  },
  enabledBy: 'routingkey',
  address: config => `https://${HOSTS[config.region]}`,
  request: (alert, config) => ({
    url: `https://${HOSTS[config.region]}/v2/enqueue`,
    headers: { 'content-type': 'application/json' },
    json: {
      routing_key: config.routingkey,
      event_action: 'trigger',
      dedup_key: toDedupKey(alert, config.dedupfields),
      payload: {
        summary: truncate(alert.output || alert.rule, MAX_SUMMARY),
        source: 'falco',
        severity: 'critical',
        timestamp: toRfc3339Seconds(alert),
        custom_details: toDetails(alert),
      },
    },
  }),
  example: { routingkey: 'integration-key' },
});
