import { z } from 'zod';
import { type Cancellation, defineOutput, type HttpRequest } from '../../core/contract.ts';
import { pairs, text, url } from '../../core/keys.ts';
import { openGoogle } from '../_kit/google/client.ts';
import { GOOGLE_KEYS } from '../_kit/google/credentials.ts';
import { judge } from '../_kit/http.ts';
import { joinUrl } from '../_kit/url.ts';
import { openEmulator } from './emulator.ts';
import { attributeProblem, toJson, topicName } from './publish.ts';

/** At most 1000 messages and 10 MB in a request (cloud.google.com/pubsub/quotas), where base64 takes four bytes for three. */
const BATCH = { items: 1000, bytes: 7_000_000, waitMs: 50 };

export default defineOutput({
  name: 'gcp.pubsub',
  title: 'Google Cloud Pub/Sub',
  category: 'queue',
  docs: 'Publishes each alert as JSON to a topic, several messages in a request, see https://cloud.google.com/pubsub/docs/publisher. PUBSUB_EMULATOR_HOST names an emulator, which is spoken to with gRPC.',
  http: true,
  keys: z.object({
    projectid: text('Project of the topic; setting it and `topic` turns the output on.'),
    topic: text('Id of the topic.'),
    customattributes: pairs('Attributes of each message.'),
    endpoint: url(
      'Address of the API where it is not Google’s, for example a regional one. Over plain HTTP, no credentials are sent.',
      ['http', 'https'],
      { fallback: 'https://pubsub.googleapis.com' },
    ),
    ...GOOGLE_KEYS,
  }),
  inherits: Object.keys(GOOGLE_KEYS),
  enabled: ({ projectid, topic }) => projectid !== '' && topic !== '',
  check({ customattributes }) {
    const message = attributeProblem(customattributes);
    return message === undefined ? [] : [{ path: 'customattributes', message }];
  },
  batch: BATCH,
  async open(config, host) {
    const { projectid, topic, endpoint, customattributes } = config;
    const name = topicName(projectid, topic);
    const emulator = process.env.PUBSUB_EMULATOR_HOST;
    if (emulator) return openEmulator(emulator, name, customattributes);
    const http = openGoogle(endpoint, config, host);
    const address = joinUrl(endpoint, `/v1/${name.split('/').map(encodeURIComponent).join('/')}`);
    const ask = async (request: Pick<HttpRequest, 'method' | 'url' | 'body'>, signal: Cancellation) => {
      const headers = { 'content-type': 'application/json' };
      judge(await http.send({ ...request, headers }, signal), host.clock.now());
    };
    return {
      send: (alerts, { signal }) => {
        const body = JSON.stringify(toJson(alerts, customattributes));
        return ask({ method: 'POST', url: `${address}:publish`, body }, signal);
      },
      /** Publishing needs no right to look at the topic: a refusal says nothing against it. */
      async probe(signal) {
        const request = { method: 'GET' as const, url: address, headers: {}, body: undefined };
        const response = await http.send(request, signal);
        if (response.status === 401 || response.status === 404) judge(response, host.clock.now());
      },
    };
  },
  templateBody: () => 'text',
  example: { projectid: 'my-project', topic: 'falco' },
});
