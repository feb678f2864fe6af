import { secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'talon',
  title: 'Falco Talon',
  category: 'web',
  docs: 'Posts each alert as JSON to Falco Talon, which reacts to it, see https://docs.falco-talon.org.',
  keys: { address: secretUrl('URL of Falco Talon; setting it turns the output on.') },
  enabledBy: 'address',
  request: (alert, config) => ({ url: config.address, body: alert.bytes }),
  example: { address: 'http://falco-talon.falco:2803' },
});
