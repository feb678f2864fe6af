import type { Alert } from '../core/contract.ts';
import { pairs, secretUrl, text } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

/** Attributes of the specification and of this output, which an extension cannot take. */
const TAKEN = new Set(
  'id source type specversion time datacontenttype dataschema subject data priority rule eventsource hostname'.split(
    ' ',
  ),
);

export default defineHttpOutput({
  name: 'cloudevents',
  title: 'CloudEvents',
  category: 'web',
  docs: 'Sends each alert as a CloudEvent 1.0 in binary mode, for example to a Knative broker, see https://cloudevents.io.',
  keys: {
    address: secretUrl('URL of the receiver; setting it turns the output on.'),
    source: text('The `source` attribute of the events.', 'https://falco.org'),
    extensions: pairs('Further attributes; names of lower-case letters and digits, 20 at most.'),
  },
  enabledBy: 'address',
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
  request: (alert, config) => ({
    url: config.address,
    headers: toHeaders(alert, config),
    body: alert.bytes,
  }),
  example: { address: 'https://broker.example/default' },
});

/**
 * The event's attributes as headers: github.com/cloudevents/spec, HTTP protocol binding 1.0.2, section 3.1. Its id is
 * the alert's, so that receivers can tell a repetition.
 */
function toHeaders(alert: Alert, config: { source: string; extensions: Record<string, string> }) {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  const add = (name: string, value: string) => {
    headers[`ce-${name}`] = toHeaderValue(value);
  };
  add('id', alert.uuid);
  add('time', alert.time);
  add('type', 'falco.rule.output.v1');
  add('source', config.source);
  add('specversion', '1.0');
  for (const name in config.extensions) add(name.toLowerCase(), config.extensions[name]!);
  add('priority', alert.priority);
  add('rule', alert.rule);
  add('eventsource', alert.source);
  if (alert.hostname !== '') add('hostname', alert.hostname);
  return headers;
}

/**
 * A header value on the wire. Text goes as raw UTF-8 with its spaces, as the Go SDK (and so falcosidekick and Knative)
 * writes and reads it; only what no HTTP header may hold is percent-encoded, as section 3.1.3.2 has it.
 */
function toHeaderValue(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, encodeURIComponent)).toString('latin1');
}
