import { oneOf, secret } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { accountRegion } from '../_kit/region.ts';
import { scale } from '../_kit/scale.ts';
import { truncate } from '../_kit/text.ts';
import { toDetails } from './details.ts';

// docs.opsgenie.com/docs/alert-api#create-alert: what is longer is refused.
const MAX_MESSAGE = 130;
const MAX_DESCRIPTION = 15_000;

const HOSTS = { us: 'api.opsgenie.com', eu: 'api.eu.opsgenie.com' };

const PRIORITIES = scale({ Emergency: 'P1', Critical: 'P2', Error: 'P3', Warning: 'P4', Notice: 'P5' });

export default defineHttpOutput({
  name: 'opsgenie',
  title: 'Opsgenie',
  category: 'alerting',
  docs: 'Creates an alert in Opsgenie, see https://docs.opsgenie.com/docs/alert-api.',
  keys: {
    apikey: secret('Key of an API integration; setting it turns the output on.'),
    region: accountRegion,
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
