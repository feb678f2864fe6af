import { text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { OBJECT_LIMITS, putAlert, putBatch } from './_kit/aws/objects.ts';
import { staticKeyProblems, yandexKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';

export default defineAwsOutput({
  name: 'yandex.s3',
  title: 'Yandex Object Storage',
  category: 'storage',
  docs: 'Writes each alert as a JSON object to a bucket of Yandex Cloud, or with `batching` several as compressed lines, see https://yandex.cloud/en/docs/storage/s3/api-ref/object/upload.',
  keys: {
    bucket: text('Name of the bucket; setting it turns the output on.'),
    prefix: text('Beginning of the names of the objects.', 'falco'),
    endpoint: url('Address of the service.', ['http', 'https'], {
      fallback: 'https://storage.yandexcloud.net',
    }),
    batching: batchingKey(),
    ...yandexKeys,
  },
  enabledBy: 'bucket',
  service: 's3',
  batch: OBJECT_LIMITS,
  request: (alert, { endpoint, bucket, prefix }, { now }) =>
    putAlert({ endpoint, bucket, inPath: true }, prefix, alert, now),
  requestBatch: (alerts, { endpoint, bucket, prefix }, { now }) =>
    putBatch({ endpoint, bucket, inPath: true }, prefix, alerts, now),
  check: staticKeyProblems,
  example: { bucket: 'falco-alerts', accesskeyid: 'YCAJEexample', secretaccesskey: 'secret' },
});
