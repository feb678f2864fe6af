import type { Alert } from '../core/contract.ts';
import { oneOf, secret } from '../core/keys.ts';
import { textFields } from './_kit/fields.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { legalNames } from './_kit/names.ts';
import { truncate } from './_kit/text.ts';

// docs.opsgenie.com/docs/alert-api#create-alert: what is longer is refused.
const MAX_MESSAGE = 130;
const MAX_DESCRIPTION = 15_000;
/** All details together. */
const MAX_DETAILS = 8_000;

const HOSTS = { us: 'api.opsgenie.com', eu: 'api.eu.opsgenie.com' };

const PRIORITIES = {
  Emergency: 'P1',
  Alert: 'P1',
  Critical: 'P2',
  Error: 'P3',
  Warning: 'P4',
  Notice: 'P5',
  Informational: 'P5',
  Debug: 'P5',
} as const;

const OWN_DETAILS = ['source', 'rule', 'priority', 'hostname', 'tags'];

/** What of the alert fits, the alert's own parts before its output fields. */
function toDetails(alert: Alert): Record<string, string> {
  const fields = textFields(alert);
  const names = legalNames(
    fields.map(([name]) => name),
    name => name.replaceAll('.', '_') || 'field',
    OWN_DETAILS,
  );
  const all: [string, string][] = [
    ['source', alert.source],
    ['rule', alert.rule],
    ['priority', alert.priority],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join(', ')],
    ...fields.map(([name, value]): [string, string] => [names.get(name)!, value]),
  ];
  let room = MAX_DETAILS;
  const details: [string, string][] = [];
  for (const [name, value] of all) {
    if (value === '' && OWN_DETAILS.includes(name)) continue;
    const shown = truncate(value, Math.max(0, room - name.length));
    room -= name.length + shown.length;
    if (room < 0) break;
    details.push([name, shown]);
  }
  return Object.fromEntries(details);
}

export default defineHttpOutput({
  name: 'opsgenie',
  title: 'Opsgenie',
  category: 'alerting',
  docs: 'Creates an alert in Opsgenie, see https://docs.opsgenie.com/docs/alert-api.',
  keys: {
    apikey: secret('Key of an API integration; setting it turns the output on.'),
    region: oneOf('Service region of the account.', ['us', 'eu'], 'us', { otherwise: 'us' }),
    alias: oneOf(
      '`uuid` sends the id of the alert as its alias: a repeated request creates no second alert. `none` as falcosidekick.',
      ['none', 'uuid'],
      'none',
    ),
  },
  enabledBy: 'apikey',
  address: config => `https://${HOSTS[config.region]}`,
  request(alert, config) {
    const whole = alert.output.length <= MAX_MESSAGE;
    return {
      url: `https://${HOSTS[config.region]}/v2/alerts`,
      headers: { authorization: `GenieKey ${config.apikey}` },
      json: {
        message: truncate(alert.output || alert.rule, MAX_MESSAGE),
        ...(config.alias === 'uuid' && { alias: alert.uuid }),
        entity: 'Falcosidekick',
        description: truncate(whole ? alert.rule : `${alert.rule}\n\n${alert.output}`, MAX_DESCRIPTION),
        details: toDetails(alert),
        priority: PRIORITIES[alert.priority],
      },
    };
  },
  example: { apikey: 'api-key' },
});
