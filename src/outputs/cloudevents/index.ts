import { pairs, secretUrl, text } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { TAKEN, toHeaders } from './headers.ts';

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
