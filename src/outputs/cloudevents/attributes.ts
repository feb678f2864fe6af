import type { Alert } from '../../core/contract.ts';

const EVENT_TYPE = 'falco.rule.output.v1';

interface CloudEventsConfig {
  source: string;
  extensions: Record<string, string>;
}

/** Attributes of the event for an alert. The event's id is the alert's, so that receivers can tell a repetition. */
export function toAttributes(alert: Alert, config: CloudEventsConfig) {
  return {
    ...config.extensions,
    id: alert.uuid,
    source: config.source,
    type: EVENT_TYPE,
    time: alert.time,
    datacontenttype: 'application/json',
    priority: alert.priority,
    rule: alert.rule,
    eventsource: alert.source,
    ...(alert.hostname !== '' && { hostname: alert.hostname }),
  };
}

/**
 * A header value on the wire. Text goes as raw UTF-8 with its spaces, as the Go SDK (and so falcosidekick and Knative)
 * writes and reads it; only what no HTTP header may hold is percent-encoded, as the HTTP binding of CloudEvents 1.0
 * section 3.1.3.2 has it.
 */
export function toHeaderValue(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, encodeURIComponent)).toString('latin1');
}

/** Attribute names of the specification and of this output, which an extension cannot take. */
export const TAKEN = new Set(
  'id source type specversion time datacontenttype dataschema subject data priority rule eventsource hostname'.split(
    ' ',
  ),
);
