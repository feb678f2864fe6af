import { url } from '../../core/keys.ts';
import { defineAwsOutput } from '../_kit/aws/define.ts';
import { environmentUrl, queueRegion } from '../_kit/aws/endpoint.ts';
import { jsonCall } from '../_kit/aws/json-api.ts';
import { awsKeys } from '../_kit/aws/settings.ts';
import { batchingKey } from '../_kit/batching.ts';
import { toMessage, verdict } from './entries.ts';

const addressOf = (queue: string) => environmentUrl('SQS') ?? new URL(queue).origin;

export default defineAwsOutput({
  name: 'aws.sqs',
  title: 'AWS SQS',
  category: 'queue',
  docs: 'Sends each alert as JSON to a queue of Amazon SQS, see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.',
  keys: {
    url: url('URL of the queue; setting it turns the output on.'),
    batching: batchingKey(),
    ...awsKeys,
  },
  enabledBy: 'url',
  service: 'sqs',
  regionOf: ({ url }) => queueRegion(url),
  // Ten messages and 256 KiB, now 1 MiB: API_SendMessageBatch. The first is what all that speaks its protocol takes.
  batch: { items: 10, bytes: 256 * 1024 },
  request: (alert, { url }) =>
    jsonCall(addressOf(url), 'AmazonSQS.SendMessage', '1.0', { ...toMessage(alert, url), QueueUrl: url }),
  requestBatch: (alerts, { url }) =>
    jsonCall(addressOf(url), 'AmazonSQS.SendMessageBatch', '1.0', {
      Entries: alerts.map((alert, index) => ({ Id: String(index), ...toMessage(alert, url) })),
      QueueUrl: url,
    }),
  verdict,
  templateBody: () => 'text',
  example: {
    url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/falco',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
