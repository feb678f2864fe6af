import type { Alert } from '../../core/contract.ts';
import { truncateBytes } from '../_kit/text.ts';
import { toRfc3339Utc } from '../_kit/times.ts';

/** Servers take headers of 8 KiB or more in all, and answer 431 to others. What is cut here stands whole in the body. */
const MAX_ATTRIBUTE = 1024;

/** Attributes of the specification and of this output, which an extension cannot take. */
export const TAKEN = new Set(
  'id source type specversion time datacontenttype dataschema subject data priority rule eventsource hostname'.split(
    ' ',
  ),
);

/**
 * The event's attributes as headers: github.com/cloudevents/spec, HTTP protocol binding 1.0.2, section 3.1. Its id is
 * the alert's, so that receivers can tell a repetition.
 */
export function toHeaders(alert: Alert, config: { source: string; extensions: Record<string, string> }) {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'ce-id': toHeaderValue(alert.uuid),
    'ce-time': toRfc3339Utc(alert),
    'ce-type': 'falco.rule.output.v1',
    'ce-source': toHeaderValue(config.source),
    'ce-specversion': '1.0',
    'ce-priority': alert.priority,
    'ce-rule': toAttribute(alert.rule),
    'ce-eventsource': toAttribute(alert.source),
  };
  if (alert.hostname !== '') headers['ce-hostname'] = toAttribute(alert.hostname);
  for (const name in config.extensions) {
    headers[`ce-${name.toLowerCase()}`] = toHeaderValue(config.extensions[name]!);
  }
  return headers;
}

/** What an alert says, as a header value. */
function toAttribute(text: string): string {
  return toHeaderValue(truncateBytes(text, MAX_ATTRIBUTE));
}

/**
 * A header value on the wire. Text goes as raw UTF-8 with its spaces, as the Go SDK (and so falcosidekick and Knative)
 * writes and reads it; only what no HTTP header may hold is percent-encoded, as section 3.1.3.2 has it.
 */
function toHeaderValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return value.replace(/[\u0000-\u001f\u007f]/g, encodeURIComponent);
}
