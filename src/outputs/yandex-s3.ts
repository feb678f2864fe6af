import { text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { putAlert, putBatch } from './_kit/aws/objects.ts';
import { staticKeyProblems, yandexKeys } from './_kit/aws/settings.ts';
import { layoutProblems, OBJECT_LIMITS, objectBatchKeys } from './_kit/object-batch.ts';

const placeOf = ({ endpoint, bucket }: { endpoint: string; bucket: string }) => ({
  endpoint,
  bucket,
  inPath: true,
});

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
    ...objectBatchKeys,
    ...yandexKeys,
  },
  enabledBy: 'bucket',
  service: 's3',
  batch: OBJECT_LIMITS,
  request: (alert, config, { now }) => putAlert(placeOf(config), config, alert, now),
  requestBatch: (alerts, config, { now }) => putBatch(placeOf(config), config, alerts, now),
  check: config => [...staticKeyProblems(config), ...layoutProblems(config)],
  templateBody: () => 'json',
  example: { bucket: 'falco-alerts', accesskeyid: 'YCAJEexample', secretaccesskey: 'secret' },
});
