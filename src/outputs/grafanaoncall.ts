import { secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

export default defineHttpOutput({
  name: 'grafanaoncall',
  title: 'Grafana OnCall',
  category: 'alerting',
  docs: 'Opens an alert group through a formatted webhook integration, see https://grafana.com/docs/oncall/latest/configure/integrations/references/webhook.',
  keys: {
    webhookurl: secretUrl('URL of the integration; setting it turns the output on.'),
  },
  enabledBy: 'webhookurl',
  request: (alert, config) => ({
    url: config.webhookurl,
    headers: { 'content-type': 'application/json' },
    json: {
      // The id stays the same when the alert is sent again, so that no second group is opened.
      alert_uid: alert.uuid,
      state: 'alerting',
      title: `[${alert.priority}] ${alert.rule}`,
      message: alert.output,
    },
  }),
  example: { webhookurl: 'https://oncall.example/integrations/v1/formatted_webhook/token/' },
});
