import type { Alert, HttpResponse } from '../../core/contract.ts';
import type { JsonValue } from '../../core/json.ts';
import { answeredObject } from '../_kit/answer.ts';
import { settleEntries } from '../_kit/aws/entries.ts';

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

export function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const { Failed } = answeredObject(response.body);
  const entries = (Array.isArray(Failed) ? Failed : []) as Record<string, JsonValue | undefined>[];
  settleEntries(
    alerts.length,
    entries.map(({ Id, Code, SenderFault }) => ({
      position: Number(Id),
      code: String(Code ?? ''),
      senderFault: SenderFault === true,
    })),
  );
}
