import { PermanentError } from '../../core/errors.ts';
import { secret, url } from '../../core/keys.ts';
import { defineHttpOutput } from '../_kit/http.ts';
import { joinUrl } from '../_kit/url.ts';
import { toEntry } from './entry.ts';

export default defineHttpOutput({
  name: 'dynatrace',
  title: 'Dynatrace',
  category: 'logs',
  docs: 'Sends each alert to the log ingestion of Dynatrace, see https://docs.dynatrace.com/docs/discover-dynatrace/references/dynatrace-api/environment-api/log-monitoring-v2/post-ingest-logs.',
  keys: {
    apitoken: secret(
      'Access token with the scope `logs.ingest`; setting it and `apiurl` turns the output on.',
    ),
    apiurl: url('Address of the API, for example https://abc123.live.dynatrace.com/api.'),
  },
  enabledBy: ['apitoken', 'apiurl'],
  request: (alert, config) => ({
    url: joinUrl(config.apiurl, '/v2/logs/ingest'),
    headers: { authorization: `Api-Token ${config.apitoken}` },
    json: [toEntry(alert)],
  }),
  // 204 says that all is taken, 200 with a message that something is not: see the page above, response codes.
  verdict({ status, body }) {
    if (status === 200 && /"message"\s*:\s*"[^"]/.test(body)) {
      throw new PermanentError('answered 200, but did not take the whole alert', { reason: 'payload' });
    }
  },
  example: { apitoken: 'dt0c01.token', apiurl: 'https://abc123.live.dynatrace.example/api' },
});
