import { list, oneOf, secret, text, url } from '../../core/keys.ts';
import { BATCH_WAIT_MS } from '../_kit/batching.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { toPush } from './push.ts';

export default defineHttpOutput({
  name: 'loki',
  title: 'Grafana Loki',
  category: 'logs',
  docs: 'Pushes alerts to Loki or Grafana Cloud, see https://grafana.com/docs/loki/latest/reference/loki-http-api.',
  keys: {
    hostport: url('Address of Loki; setting it turns the output on.'),
    endpoint: text('Path of the push API.', '/loki/api/v1/push'),
    user: text('User name, for basic authentication (Grafana Cloud: the number of the instance).'),
    apikey: secret('Password or API key, for basic authentication.'),
    tenant: text('Tenant, sent as `X-Scope-OrgID`.'),
    format: oneOf(
      'What a line holds: the text of the alert, or all of it as JSON.',
      ['text', 'json'],
      'text',
      { otherwise: 'text' },
    ),
    extralabels: list('Output fields that become labels.'),
    extralabelslist: list('More output fields that become labels.'),
  },
  enabledBy: 'hostport',
  // The size that Alloy sends at most: grafana.com/docs/alloy/latest/reference/components/loki/loki.write, `batch_size`.
  batch: { items: 1000, bytes: 1024 * 1024, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  request: (alert, config, context) => toPush([alert], config, context),
  requestBatch: toPush,
  templateBody: () => 'text',
  example: { hostport: 'http://loki.example:3100' },
});
