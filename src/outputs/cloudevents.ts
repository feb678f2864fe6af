import { z } from 'zod';
import { type Alert, defineOutput } from '../core/contract.ts';
import { pairs, secretUrl, text } from '../core/keys.ts';
import { judge } from './_kit/http.ts';

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
function toHeaderValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, encodeURIComponent)).toString('latin1');
}

/** Attribute names of the specification and of this output, which an extension cannot take. */
const TAKEN = new Set(
  'id source type specversion time datacontenttype dataschema subject data priority rule eventsource hostname'.split(
    ' ',
  ),
);

export default defineOutput({
  name: 'cloudevents',
  title: 'CloudEvents',
  category: 'web',
  docs: 'Sends each alert as a CloudEvent 1.0 in binary mode, for example to a Knative broker, see https://cloudevents.io.',
  http: true,
  keys: z.object({
    address: secretUrl('URL of the receiver; setting it turns the output on.'),
    source: text('The `source` attribute of the events.', 'https://falco.org'),
    extensions: pairs('Further attributes; names of lower-case letters and digits, 20 at most.'),
  }),
  enabled: config => config.address !== '',
  check: config =>
    Object.keys(config.extensions)
      .map(name => name.toLowerCase())
      .filter(name => !/^[a-z0-9]{1,20}$/.test(name) || TAKEN.has(name))
      .map(name => ({
        path: `extensions.${name}`,
        message: TAKEN.has(name)
          ? 'this attribute is already in use'
          : 'not a name for a CloudEvents attribute',
        hint: 'up to 20 lower-case letters and digits',
      })),
  async open(config, host) {
    const { CloudEvent, HTTP } = await import('cloudevents');
    const extensions = Object.fromEntries(
      Object.entries(config.extensions).map(([name, value]) => [name.toLowerCase(), value]),
    );
    return {
      async send([alert], { signal }) {
        const attributes = toAttributes(alert!, { source: config.source, extensions });
        // The names were checked with the configuration, so the SDK's own check of each event is left out.
        const { headers } = HTTP.binary(new CloudEvent({ ...attributes, data: alert!.bytes }, false));
        const wire: Record<string, string> = {};
        for (const [name, value] of Object.entries(headers)) wire[name] = toHeaderValue(String(value));
        // The SDK keeps milliseconds; Falco's clock has nanoseconds.
        wire['ce-time'] = alert!.time;
        const request = { method: 'POST' as const, url: config.address, headers: wire, body: alert!.bytes };
        judge(await host.http.send(request, signal), host.clock.now());
      },
    };
  },
  example: { address: 'https://broker.example/default' },
});
