import { secret, secretUrl, text } from '../core/keys.ts';
import { basicAuth } from './_kit/auth.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'nodered',
  title: 'Node-RED',
  category: 'web',
  docs: 'Posts each alert as JSON to an `http in` node of Node-RED, see https://cookbook.nodered.org/http/create-an-http-endpoint.',
  keys: {
    address: secretUrl('URL of the node; setting it turns the output on.'),
    user: text('User name for basic authentication.'),
    password: secret('Password for basic authentication.'),
  },
  enabledBy: 'address',
  request: (alert, config) => ({
    url: config.address,
    headers: basicAuth(config.user, config.password),
    body: alert.bytes,
  }),
  example: { address: 'http://node-red.example:1880/falco' },
});
