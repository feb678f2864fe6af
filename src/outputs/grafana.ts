import { flag, integer, secret, url } from '../core/keys.ts';
import { toGoText } from './_kit/go-text.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { byCodeUnit } from './_kit/text.ts';
import { toMillis } from './_kit/times.ts';
import { joinUrl } from './_kit/url.ts';

export default defineHttpOutput({
  name: 'grafana',
  title: 'Grafana',
  category: 'metrics',
  docs: 'Marks each alert as an annotation in dashboards, see https://grafana.com/docs/grafana/latest/developers/http_api/annotations.',
  keys: {
    hostport: url('Address of Grafana; setting it and `apikey` turns the output on.'),
    apikey: secret('Token of a service account that may write annotations.'),
    dashboardid: integer('Dashboard that shows the annotations; 0: all of them.', 0),
    panelid: integer('Panel that shows the annotations; 0: all of the dashboard.', 0),
    allfieldsastags: flag('Whether the output fields and the tags of the alert are tags of the annotation.'),
  },
  enabledBy: ['hostport', 'apikey'],
  request(alert, config): HttpMessage {
    const time = toMillis(alert);
    const { outputFields } = alert;
    const tags = ['falco', alert.priority, alert.rule, alert.source, alert.hostname].filter(Boolean);
    if (config.allfieldsastags) {
      const names = Object.keys(outputFields).sort(byCodeUnit);
      tags.push(...names.map(name => toGoText(outputFields[name]!)), ...alert.tags);
    }
    return {
      url: joinUrl(config.hostport, '/api/annotations'),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${config.apikey}` },
      json: {
        ...(config.dashboardid > 0 && { dashboardId: config.dashboardid }),
        ...(config.panelid > 0 && { panelId: config.panelid }),
        time,
        timeEnd: time,
        tags,
        // An annotation without a text is refused.
        text: alert.output || alert.rule,
      },
    };
  },
  example: { hostport: 'https://grafana.example', apikey: 'service-account-token' },
});
