import type { Alert, HttpResponse } from '../core/contract.ts';
import { PermanentError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { text, url } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { errorCode, judgeAws } from './_kit/aws/answers.ts';
import { type AwsContext, type AwsRequest, defineAwsOutput } from './_kit/aws/define.ts';
import { serviceUrl } from './_kit/aws/endpoint.ts';
import { jsonCall } from './_kit/aws/json-api.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';
import { settle } from './_kit/settle.ts';
import { toMillis } from './_kit/times.ts';

/** The stream that is made when none is named; falcosidekick's. */
const OWN_STREAM = 'falcosidekick-logstream';
const SETUP_TIMEOUT_MS = 10_000;

interface LogsConfig {
  loggroup: string;
  logstream: string;
  endpoint: string;
}

function call(config: LogsConfig, { region }: AwsContext, operation: string, input: object): AwsRequest {
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

function putEvents(alerts: readonly Alert[], config: LogsConfig, context: AwsContext): AwsRequest {
  const logEvents = inOrder(alerts).map(({ at, time }) => ({ message: alerts[at]!.json, timestamp: time }));
  return call(config, context, 'PutLogEvents', { logEvents });
}

/** Events that are too old or too new are left out, and the answer is 200: API_RejectedLogEventsInfo. */
function verdict(response: HttpResponse, alerts: readonly Alert[]): void {
  const info = answeredObject(response.body).rejectedLogEventsInfo;
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

export default defineAwsOutput({
  name: 'aws.cloudwatchlogs',
  title: 'AWS CloudWatch Logs',
  category: 'logs',
  docs: 'Puts each alert as JSON into a log stream of Amazon CloudWatch, see https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html.',
  keys: {
    loggroup: text('Name of the log group; setting it turns the output on.'),
    logstream: text(`Name of the log stream; empty: \`${OWN_STREAM}\`, which is made if need be.`),
    endpoint: url('Address of the service, where it is not that of the region.'),
    batching: batchingKey(),
    ...awsKeys,
  },
  enabledBy: 'loggroup',
  service: 'logs',
  // 10,000 events and 1 MiB, of which each event takes 26 bytes beside its message.
  batch: { items: 10_000, bytes: 768 * 1024 },
  request: (alert, config, context) => putEvents([alert], config, context),
  requestBatch: putEvents,
  verdict,
  async prepare(config, send, context) {
    if (config.logstream !== '') return;
    const request = { ...call(config, context, 'CreateLogStream', {}), setup: true as const };
    const answer = await send(request, AbortSignal.timeout(SETUP_TIMEOUT_MS));
    if (errorCode(answer) !== 'ResourceAlreadyExistsException') judgeAws(answer, context.now, []);
  },
  example: {
    loggroup: 'falco',
    logstream: 'alerts',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
