import { text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { judgeRecords, putRecord, putRecords, RECORD_LIMITS } from './_kit/aws/records.ts';
import { staticKeyProblems, yandexKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';

export default defineAwsOutput({
  name: 'yandex.datastreams',
  title: 'Yandex Data Streams',
  category: 'queue',
  docs: 'Puts each alert as JSON on a stream of Yandex Cloud, see https://yandex.cloud/en/docs/data-streams/kinesisapi/methods/putrecord.',
  keys: {
    streamname: text('Name of the stream, `/region/folder/database/stream`; setting it turns the output on.'),
    endpoint: url('Address of the service.', ['http', 'https'], {
      fallback: 'https://yds.serverless.yandexcloud.net',
    }),
    batching: batchingKey(),
    ...yandexKeys,
  },
  enabledBy: 'streamname',
  service: 'kinesis',
  batch: RECORD_LIMITS,
  request: (alert, { streamname, endpoint }) => putRecord(endpoint, streamname, alert),
  requestBatch: (alerts, { streamname, endpoint }) => putRecords(endpoint, streamname, alerts),
  verdict: judgeRecords,
  check: staticKeyProblems,
  templateBody: () => 'text',
  example: {
    streamname: '/ru-central1/b1g0000000000000000/etn00000000000000000/falco',
    accesskeyid: 'YCAJEexample',
    secretaccesskey: 'secret',
  },
});
