import { text, url } from '../../core/keys.ts';
import { batchingKey, batchingLimits } from '../_kit/batching.ts';
import { openGoogle } from '../_kit/google/client.ts';
import { GOOGLE_KEYS } from '../_kit/google/credentials.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { addressOf, MOST, toRequest } from './import.ts';

export default defineHttpOutput({
  name: 'gcp.chronicle',
  title: 'Google Security Operations (Chronicle)',
  category: 'siem',
  docs: 'Imports alerts as raw logs, see https://cloud.google.com/chronicle/docs/reference/rest/v1beta/projects.locations.instances.logTypes.logs/import.',
  keys: {
    region: text('Region of the instance; setting it, `projectid` and `instanceid` turns the output on.'),
    projectid: text('Project of the instance.'),
    instanceid: text('Customer id of the instance.'),
    logtype: text('Log type, which decides on the parser.', 'FALCO_IDS'),
    endpoint: url(
      'Address of the API where it is not that of the region. Over plain HTTP, no credentials are sent.',
    ),
    batching: batchingKey(),
    ...GOOGLE_KEYS,
  },
  inherits: Object.keys(GOOGLE_KEYS),
  enabledBy: ['region', 'projectid', 'instanceid'],
  check: ({ region, projectid, instanceid, logtype }) =>
    Object.entries({ region, projectid, instanceid, logtype })
      .filter(([, value]) => !/^[a-z0-9][a-z0-9_-]*$/i.test(value))
      .map(([path]) => ({ path, message: 'expected letters, digits, - and _' })),
  batchBy: config => batchingLimits(config.batching, MOST),
  address: addressOf,
  client: (config, host) => openGoogle(addressOf(config), config, host),
  request: (alert, config, { clock }) => toRequest([alert], config, clock.now()),
  requestBatch: (alerts, config, { clock }) => toRequest(alerts, config, clock.now()),
  templateBody: () => 'text',
  example: { region: 'eu', projectid: 'my-project', instanceid: 'c2f1a6de-8b7a-4c53-9d0e-1b2a3c4d5e6f' },
});
