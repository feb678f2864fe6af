import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { text, url } from '../../core/keys.ts';
import { batchingLimits } from '../_kit/batching.ts';
import { openGoogle } from '../_kit/google/client.ts';
import { GOOGLE_KEYS } from '../_kit/google/credentials.ts';
import { layoutProblems, OBJECT_LIMITS, objectBatchKeys } from '../_kit/object-batch.ts';
import { openStorage } from './objects.ts';

const DEFAULT_ENDPOINT = 'https://storage.googleapis.com';

/** The client libraries of Google take an address without a scheme as well. */
function emulator(): string {
  const found = process.env.STORAGE_EMULATOR_HOST ?? '';
  return found === '' || found.includes('://') ? found : `http://${found}`;
}

export default defineOutput({
  name: 'gcp.storage',
  title: 'Google Cloud Storage',
  category: 'storage',
  docs: 'Stores each alert as a JSON object, or many as one compressed object of JSON lines with `batching`, see https://cloud.google.com/storage/docs.',
  http: true,
  keys: z.object({
    bucket: text('Bucket; setting it turns the output on.'),
    prefix: text('Folder in the bucket; empty for none.'),
    endpoint: url(
      'Address of the service where it is not that of Google, for example of an emulator. Over plain HTTP, no credentials are sent.',
    ),
    ...objectBatchKeys,
    ...GOOGLE_KEYS,
  }),
  inherits: Object.keys(GOOGLE_KEYS),
  enabled: config => config.bucket !== '',
  check: layoutProblems,
  batchBy: config => batchingLimits(config.batching, OBJECT_LIMITS),
  open: async (config, host) => {
    const endpoint = config.endpoint || emulator() || DEFAULT_ENDPOINT;
    const storage = { ...config, endpoint, batched: config.batching.enabled };
    return openStorage(storage, openGoogle(endpoint, config, host), host.clock);
  },
  templateBody: () => 'json',
  example: { bucket: 'falco-alerts' },
});
