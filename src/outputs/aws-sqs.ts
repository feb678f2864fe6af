import type { Alert, HttpResponse } from '../core/contract.ts';
import type { PermanentError, RetriableError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { url } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { entryFailure } from './_kit/aws/answers.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { environmentUrl, queueRegion } from './_kit/aws/endpoint.ts';
import { jsonCall } from './_kit/aws/json-api.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';
import { settle } from './_kit/settle.ts';

/** A message. Queues in order (FIFO) want a group, and drop the same alert sent again within five minutes. */
function toMessage(alert: Alert, queue: string) {
  const ordered = queue.endsWith('.fifo');
  return {
    // SQS refuses these two characters; the JSON says the same without them.
    MessageBody: alert.json.replace(
      /[\ufffe\uffff]/g,
      character => `\\u${character.charCodeAt(0).toString(16)}`,
    ),
    ...(ordered && { MessageGroupId: 'falco', MessageDeduplicationId: alert.uuid }),
  };
}

function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const failed = new Map<number, RetriableError | PermanentError>();
  const { Failed } = answeredObject(response.body);
  for (const entry of Array.isArray(Failed) ? (Failed as JsonValue[]) : []) {
    const { Id, Code, SenderFault } = entry as Record<string, JsonValue | undefined>;
    failed.set(Number(Id), entryFailure(String(Code ?? ''), SenderFault === true));
  }
  settle(alerts.length, failed);
}

const addressOf = (queue: string) => environmentUrl('SQS') ?? queue;

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
  // Ten messages and 256 KiB: what every release of the service takes.
  batch: { items: 10, bytes: 256 * 1024 },
  request: (alert, { url }) =>
    jsonCall(addressOf(url), 'AmazonSQS.SendMessage', '1.0', { ...toMessage(alert, url), QueueUrl: url }),
  requestBatch: (alerts, { url }) =>
    jsonCall(addressOf(url), 'AmazonSQS.SendMessageBatch', '1.0', {
      Entries: alerts.map((alert, index) => ({ Id: String(index), ...toMessage(alert, url) })),
      QueueUrl: url,
    }),
  verdict,
  example: {
    url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/falco',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
