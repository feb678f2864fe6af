import { text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { serviceUrl } from './_kit/aws/endpoint.ts';
import { judgeRecords, putRecord, putRecords, RECORD_LIMITS } from './_kit/aws/records.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';

const addressOf = (endpoint: string, region: string) => endpoint || serviceUrl('kinesis', region, 'KINESIS');

export default defineAwsOutput({
  name: 'aws.kinesis',
  title: 'AWS Kinesis',
  category: 'queue',
  docs: 'Puts each alert as JSON on a stream of Amazon Kinesis, see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html.',
  keys: {
    streamname: text('Name of the stream; setting it turns the output on.'),
    endpoint: url('Address of the service, where it is not that of the region.'),
    batching: batchingKey(),
    ...awsKeys,
  },
  enabledBy: 'streamname',
  service: 'kinesis',
  batch: RECORD_LIMITS,
  request: (alert, { streamname, endpoint }, { region }) =>
    putRecord(addressOf(endpoint, region), streamname, alert),
  requestBatch: (alerts, { streamname, endpoint }, { region }) =>
    putRecords(addressOf(endpoint, region), streamname, alerts),
  verdict: judgeRecords,
  templateBody: () => 'text',
  example: {
    streamname: 'falco',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
