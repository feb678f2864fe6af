import { oneOf, secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'webhook',
  title: 'Webhook',
  category: 'web',
  docs: 'Posts each alert as JSON to any HTTP address.',
  keys: {
    address: secretUrl('URL to post to; setting it turns the output on.'),
    method: oneOf('Method of the request.', ['POST', 'PUT'], 'POST', { otherwise: 'POST' }),
  },
  enabledBy: 'address',
  request: (alert, config) => ({ url: config.address, method: config.method, body: alert.bytes }),
  example: { address: 'https://hook.example/alerts' },
});
