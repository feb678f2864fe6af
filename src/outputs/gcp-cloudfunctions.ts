import type { HttpResponse } from '../core/contract.ts';
import { RetriableError } from '../core/errors.ts';
import { text, url } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { openGoogle } from './_kit/google/client.ts';
import { GOOGLE_KEYS } from './_kit/google/credentials.ts';
import { defineHttpOutput } from './_kit/http.ts';
import { joinUrl } from './_kit/url.ts';

/** A function that ended with an error is told in a 200. Its own words may hold anything: they are left out. */
function verdict({ body }: HttpResponse): void {
  const { error } = answeredObject(body);
  if (typeof error === 'string' && error !== '') {
    throw new RetriableError('the function ended with an error', { reason: 'server_error' });
  }
}

export default defineHttpOutput({
  name: 'gcp.cloudfunctions',
  title: 'Google Cloud Functions',
  category: 'function',
  docs: 'Calls a function of the first generation with each alert as JSON, see https://cloud.google.com/functions/docs/reference/rest/v1/projects.locations.functions/call. Google gives this call a low quota; functions with an address of their own are better reached with `gcp.cloudrun`.',
  keys: {
    name: text(
      'Full name of the function, `projects/P/locations/L/functions/F`; setting it turns the output on.',
    ),
    endpoint: url(
      'Address of the API where it is not Google’s. Over plain HTTP, no credentials are sent.',
      ['http', 'https'],
      { fallback: 'https://cloudfunctions.googleapis.com' },
    ),
    ...GOOGLE_KEYS,
  },
  inherits: Object.keys(GOOGLE_KEYS),
  enabledBy: 'name',
  check: ({ name }) =>
    name === '' || /^projects\/[\w:.-]+\/locations\/[\w-]+\/functions\/[\w-]+$/.test(name)
      ? []
      : [{ path: 'name', message: 'expected projects/PROJECT/locations/LOCATION/functions/FUNCTION' }],
  address: ({ endpoint }) => endpoint,
  client: (config, host) => openGoogle(config.endpoint, config, host),
  request: (alert, { name, endpoint }) => ({
    url: joinUrl(endpoint, `/v1/${name}:call`),
    headers: { 'content-type': 'application/json' },
    json: { data: alert.json },
  }),
  verdict,
  templateBody: () => 'text',
  example: { name: 'projects/my-project/locations/europe-west1/functions/falco' },
});
