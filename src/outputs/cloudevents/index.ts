import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { pairs, secretUrl, text } from '../../core/keys.ts';
import { judge } from '../_kit/http.ts';
import { TAKEN, toAttributes, toHeaderValue } from './attributes.ts';

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
