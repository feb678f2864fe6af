import { isJsonObject } from '../../core/alert/json.ts';
import type { Alert, HttpResponse } from '../../core/contract.ts';
import { PermanentError } from '../../core/errors.ts';
import type { AwsContext, AwsRequest } from '../_kit/aws/define.ts';
import { serviceUrl } from '../_kit/aws/endpoint.ts';
import { jsonCall } from '../_kit/aws/json-api.ts';
import { outcomesIn } from '../_kit/refused.ts';
import { settle } from '../_kit/settle.ts';
import { toMillis } from '../_kit/times.ts';

/** The stream that is made when none is named; falcosidekick's. */
export const OWN_STREAM = 'falcosidekick-logstream';

interface LogsConfig {
  loggroup: string;
  logstream: string;
  endpoint: string;
}

export function call(
  config: LogsConfig,
  { region }: AwsContext,
  operation: string,
  input: object,
): AwsRequest {
  const address = config.endpoint || serviceUrl('logs', region, 'CLOUDWATCH_LOGS');
  return jsonCall(address, `Logs_20140328.${operation}`, '1.1', {
    ...input,
    logGroupName: config.loggroup,
    logStreamName: config.logstream || OWN_STREAM,
  });
}

/** The service wants events by time. Positions in the batch, in that order. */
function inOrder(alerts: readonly Alert[]): { at: number; time: number }[] {
  return alerts
    .map((alert, at) => ({ at, time: toMillis(alert) }))
    .sort((a, b) => a.time - b.time || a.at - b.at);
}

/** A request may span 24 hours; a longer one is refused whole, says API_PutLogEvents. */
const MAX_SPAN_MS = 24 * 3_600_000;

/** Those of each request, by time where there are several. */
export function byDay(alerts: readonly Alert[]): readonly (readonly Alert[])[] {
  const parts: Alert[][] = [];
  let start = Number.NEGATIVE_INFINITY;
  for (const { at, time } of inOrder(alerts)) {
    if (time - start > MAX_SPAN_MS) {
      start = time;
      parts.push([]);
    }
    parts.at(-1)!.push(alerts[at]!);
  }
  return parts.length > 1 ? parts : [alerts];
}

export function putEvents(alerts: readonly Alert[], config: LogsConfig, context: AwsContext): AwsRequest {
  const logEvents = inOrder(alerts).map(({ at, time }) => ({ message: alerts[at]!.json, timestamp: time }));
  return call(config, context, 'PutLogEvents', { logEvents });
}

/** Events that are too old or too new are left out, and the answer is 200: API_RejectedLogEventsInfo. */
export function verdict(response: HttpResponse, alerts: readonly Alert[]): void {
  const info = outcomesIn(response, alerts.length).rejectedLogEventsInfo;
  if (info === undefined || !isJsonObject(info)) return;
  const until = (value: unknown) => (typeof value === 'number' ? value : 0);
  const old = Math.max(until(info.tooOldLogEventEndIndex), until(info.expiredLogEventEndIndex));
  const from =
    typeof info.tooNewLogEventStartIndex === 'number' ? info.tooNewLogEventStartIndex : alerts.length;
  const failed = new Map<number, PermanentError>();
  for (const [index, { at }] of inOrder(alerts).entries()) {
    const why = index < old ? 'too old' : index >= from ? 'too far in the future' : undefined;
    if (why) failed.set(at, new PermanentError(`refused: the event is ${why}`, { reason: 'client_error' }));
  }
  settle(alerts.length, failed);
}
