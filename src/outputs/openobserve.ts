import { isJsonObject, type JsonValue } from '../core/alert/json.ts';
import type { HttpResponse } from '../core/contract.ts';
import { secret, text, url } from '../core/keys.ts';
import { toPathSegment } from '../core/url-parts.ts';
import { basicAuth } from './_kit/auth.ts';
import { BATCH_WAIT_MS } from './_kit/batching.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { toLines } from './_kit/ndjson.ts';
import { expectNoneRefused, outcomesIn } from './_kit/refused.ts';
import { joinUrl } from './_kit/url.ts';

interface OpenObserveConfig {
  hostport: string;
  organizationname: string;
  streamname: string;
  username: string;
  password: string;
}

function toRequest(config: OpenObserveConfig, body: Buffer): HttpMessage {
  const [organization, stream] = [config.organizationname, config.streamname].map(toPathSegment);
  return {
    url: joinUrl(config.hostport, `/api/${organization}/${stream}/_multi`),
    headers: basicAuth(config.username, config.password),
    body,
  };
}

/** An answer of 200 counts for each stream what was stored and what was not. */
function refusedCount(response: HttpResponse, count: number): number {
  const { status } = outcomesIn(response, count);
  const streams: readonly JsonValue[] = Array.isArray(status) ? status : [];
  return streams.reduce<number>(
    (sum, stream) => sum + ((isJsonObject(stream) && Number(stream.failed)) || 0),
    0,
  );
}

export default defineHttpOutput({
  name: 'openobserve',
  title: 'OpenObserve',
  category: 'logs',
  docs: 'Stores alerts in a stream of OpenObserve, see https://openobserve.ai/docs/reference/api/ingestion/logs/multi.',
  keys: {
    hostport: url('Address of OpenObserve; setting it turns the output on.'),
    organizationname: text('Organization.', 'default'),
    streamname: text('Stream.', 'falco'),
    username: text('User name, for basic authentication.'),
    password: secret('Password, for basic authentication.'),
  },
  enabledBy: 'hostport',
  // Far below the server's own limit of 200 MB (openobserve.ai/docs/environment-variables, ZO_PAYLOAD_LIMIT), so that a request stays quick to send again.
  batch: { items: 1000, bytes: 5_000_000, waitMs: BATCH_WAIT_MS },
  concurrency: 8,
  request: (alert, config) => toRequest(config, alert.bytes),
  requestBatch: (alerts, config) => toRequest(config, toLines(alerts)),
  verdict: (response, alerts) =>
    expectNoneRefused(refusedCount(response, alerts.length), alerts.length, response),
  templateBody: () => 'json',
  example: { hostport: 'https://openobserve.example:5080' },
});
