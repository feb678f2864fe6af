import { secret, url } from '../core/keys.ts';
import { toQueryValue } from '../core/url-parts.ts';
import { textFields } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { scale } from './_kit/scale.ts';
import { joinUrl } from './_kit/url.ts';

const ALERT_TYPES = scale({ Emergency: 'error', Warning: 'warning', Notice: 'info' });

export default defineHttpOutput({
  name: 'datadog',
  title: 'Datadog',
  category: 'alerting',
  docs: 'Posts each alert to the event stream of Datadog, see https://docs.datadoghq.com/api/latest/events.',
  keys: {
    apikey: secret('API key; setting it turns the output on.'),
    host: url('Address of the API of your site, for example https://api.datadoghq.eu.', undefined, {
      fallback: 'https://api.datadoghq.com',
    }),
  },
  enabledBy: 'apikey',
  // Texts above 4,000 characters are cut by Datadog itself: docs.datadoghq.com/api/latest/events.
  request: (alert, config) => ({
    url: joinUrl(config.host, `/api/v1/events?api_key=${toQueryValue(config.apikey)}`),
    json: {
      title: alert.rule,
      text: alert.output || alert.rule,
      alert_type: ALERT_TYPES[alert.priority],
      source_type_name: 'falco',
      tags: [
        ...textFields(alert).map(({ title, value }) => `${title}:${value}`),
        `source:${alert.source}`,
        'source:falco',
        ...(alert.hostname === '' ? [] : [`hostname:${alert.hostname}`]),
        ...alert.tags,
      ],
    },
  }),
  example: { apikey: 'api-key' },
});
