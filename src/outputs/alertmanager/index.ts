import type { Alert } from '../../core/contract.ts';
import { addresses, integer, oneOf, pairs, text } from '../../core/keys.ts';
import { BATCH_WAIT_MS } from '../_kit/batching.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { legalNames } from '../_kit/names.ts';
import { joinUrl } from '../_kit/url.ts';
import { type AlertmanagerConfig, toPostableAlert } from './alert.ts';
import { problems } from './problems.ts';

function toRequest(alerts: readonly Alert[], config: AlertmanagerConfig) {
  return {
    url: joinUrl(config.hostport[0]!, config.endpoint),
    json: alerts.map(alert => toPostableAlert(alert, config)),
  };
}

/** One far side for each address, by its host. */
function split<C extends AlertmanagerConfig>(config: C): Map<string, C> | undefined {
  const hosts = [...new Set(config.hostport)];
  if (hosts.length < 2) return undefined;
  const endings = legalNames(hosts, host => (URL.parse(host)?.host ?? '').replace(/[^A-Za-z0-9-]/g, '_'));
  return new Map(hosts.map(host => [endings.get(host)!, { ...config, hostport: [host] }]));
}

export default defineHttpOutput({
  name: 'alertmanager',
  title: 'Alertmanager',
  category: 'alerting',
  docs: 'Posts alerts to one or more Alertmanagers of Prometheus, see https://prometheus.io/docs/alerting/latest/alerts_api.',
  keys: {
    hostport: addresses(
      'Addresses; each one gets every alert, with a queue of its own. Setting it turns the output on.',
    ),
    endpoint: text('Path of the API.', '/api/v2/alerts'),
    expiresafter: integer(
      "Seconds after an alert's time at which it ends; 0: when Alertmanager's `resolve_timeout` is over.",
      0,
    ),
    extralabels: pairs('Further labels; they go before those of the alert.', { bareNames: true }),
    extraannotations: pairs('Further annotations; they go before those of the alert.', { bareNames: true }),
    customseveritymap: pairs('Severity by priority, `notice:info`, where the usual one does not fit.'),
    dropeventdefaultpriority: oneOf(
      "Least priority of Falco's alerts about dropped events when no threshold is passed.",
      ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'informational', 'debug'],
      'critical',
    ),
    dropeventthresholds: text(
      "Least priority of Falco's alerts about dropped events by how many more than a number there are.",
      '10000:critical, 1000:critical, 100:critical, 10:warning, 1:warning',
    ),
  },
  enabledBy: 'hostport',
  address: config => config.hostport[0] ?? '',
  check: config => [...problems(config)],
  split,
  request: (alert, config) => toRequest([alert], config),
  requestBatch: toRequest,
  // Alertmanager groups alerts for seconds itself, so there is no need to wait; a backlog goes in large posts.
  batch: { items: 500, bytes: 1024 * 1024, waitMs: BATCH_WAIT_MS },
  example: { hostport: ['http://alertmanager.example:9093'] },
});
