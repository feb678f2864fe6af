import { secret, secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'gcp.cloudrun',
  title: 'Google Cloud Run',
  category: 'function',
  docs: 'Posts each alert as JSON to a service or function on Cloud Run, see https://cloud.google.com/run/docs/authenticating/overview.',
  keys: {
    endpoint: secretUrl('URL of the service; setting it and `jwt` turns the output on.'),
    jwt: secret(
      "Identity token that the service asks for. It is not renewed; Google's expire after an hour.",
    ),
  },
  enabledBy: ['endpoint', 'jwt'],
  request: (alert, config) => ({
    url: config.endpoint,
    headers: { authorization: `Bearer ${config.jwt}` },
    body: alert.bytes,
  }),
  example: { endpoint: 'https://falco-abc123-ew.a.run.app', jwt: 'identity-token' },
});
