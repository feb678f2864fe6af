import type { HttpResponse } from '../core/contract.ts';
import { PermanentError, RetriableError } from '../core/errors.ts';
import { integer, secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

/** The codes for an error of Kafka itself that will and that may not happen again (API of the REST proxy, v2). */
const NOT_RETRIABLE = 1;

/** An answer of 200 has an outcome for each record: an offset, or an error. */
export function verdict({ body }: Pick<HttpResponse, 'body'>): void {
  const code = errorCode(body);
  if (code === undefined) return;
  const message = `Kafka refused the record (error code ${code})`;
  if (code === NOT_RETRIABLE) throw new PermanentError(message, { reason: 'client_error' });
  throw new RetriableError(message, { reason: 'server_error' });
}

function errorCode(body: string): number | undefined {
  try {
    const { offsets } = JSON.parse(body) as { offsets?: { error_code?: number | null }[] };
    return offsets?.find(({ error_code }) => typeof error_code === 'number')?.error_code ?? undefined;
  } catch {
    return undefined;
  }
}

export default defineHttpOutput({
  name: 'kafkarest',
  title: 'Kafka REST Proxy',
  category: 'queue',
  docs: 'Produces each alert to a Kafka topic through a REST proxy, see https://docs.confluent.io/platform/current/kafka-rest/api.html.',
  keys: {
    address: secretUrl('URL of the topic, `http://proxy:8082/topics/falco`; setting it turns the output on.'),
    version: integer('Version of the API, 1 or 2; 2 stands for any other.', 2),
  },
  enabledBy: 'address',
  request: (alert, config) => ({
    url: config.address,
    headers: { 'content-type': `application/vnd.kafka.binary.v${config.version === 1 ? 1 : 2}+json` },
    json: { records: [{ value: alert.bytes.toString('base64') }] },
  }),
  verdict,
  templateBody: () => 'text',
  example: { address: 'http://kafka-rest.example:8082/topics/falco' },
});
