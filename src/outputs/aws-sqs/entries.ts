import { isJsonObject, type JsonValue } from '../../core/alert/json.ts';
import type { Alert, HttpResponse } from '../../core/contract.ts';
import { settleNamed } from '../_kit/aws/entries.ts';
import { outcomesIn } from '../_kit/refused.ts';

/** A message. Queues in order (FIFO) want a group, and drop the same alert sent again within five minutes. */
export function toMessage(alert: Alert, queue: string) {
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

const objectsIn = (list: JsonValue | undefined) => (Array.isArray(list) ? list.filter(isJsonObject) : []);

/** docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html, "Response Elements". */
export function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const { Successful, Failed } = outcomesIn(response, alerts.length);
  settleNamed(response, alerts.length, {
    taken: objectsIn(Successful).map(({ Id }) => String(Id)),
    failed: objectsIn(Failed).map(({ Id, Code, SenderFault }) => ({
      id: String(Id),
      code: String(Code ?? ''),
      senderFault: SenderFault === true,
    })),
  });
}
