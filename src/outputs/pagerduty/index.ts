import type { Alert } from '../../core/contract.ts';
import { list, secret } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { ownMembers } from '../_kit/own.ts';
import { accountRegion } from '../_kit/region.ts';
import { truncate } from '../_kit/text.ts';
import { toRfc3339Seconds } from '../_kit/times.ts';
import { toDedupKey } from './dedup.ts';
import { MAX_SUMMARY, toDetails } from './details.ts';

const HOSTS = { us: 'events.pagerduty.com', eu: 'events.eu.pagerduty.com' };

function toPayload(alert: Alert) {
  return {
    summary: truncate(alert.output || alert.rule, MAX_SUMMARY),
    source: 'falco',
    severity: 'critical',
    timestamp: toRfc3339Seconds(alert),
    custom_details: toDetails(alert),
  };
}

export default defineHttpOutput({
  name: 'pagerduty',
  title: 'PagerDuty',
  category: 'alerting',
  docs: 'Opens an incident for each alert through the Events API, see https://developer.pagerduty.com/docs/send-alert-event.',
  keys: {
    routingkey: secret(
      'Integration key of a service or event orchestration; setting it turns the output on.',
    ),
    region: accountRegion,
    dedupfields: list(
      'Output fields, or `uuid`, `rule`, `hostname`, `source`, `priority`: alerts alike in all of them share an incident. `uuid` keeps a repeated request from opening a second incident. Empty: no key, as falcosidekick.',
    ),
  },
  enabledBy: 'routingkey',
  address: config => `https://${HOSTS[config.region]}`,
  request: (alert, config) => ({
    url: `https://${HOSTS[config.region]}/v2/enqueue`,
    headers: { 'content-type': 'application/json' },
    json: {
      routing_key: config.routingkey,
      event_action: 'trigger',
      dedup_key: toDedupKey(alert, config.dedupfields),
      ...(ownMembers(alert) ?? { payload: toPayload(alert) }),
    },
  }),
  templateBody: () => 'json',
  example: { routingkey: 'integration-key' },
});
