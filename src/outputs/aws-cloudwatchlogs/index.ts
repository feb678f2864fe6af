import { text, url } from '../../core/keys.ts';
import { errorCode, judgeAws } from '../_kit/aws/answers.ts';
import { defineAwsOutput } from '../_kit/aws/define.ts';
import { awsKeys } from '../_kit/aws/settings.ts';
import { batchingKey } from '../_kit/batching.ts';
import { byDay, call, OWN_STREAM, putEvents, verdict } from './events.ts';

const SETUP_TIMEOUT_MS = 10_000;

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
  // 10,000 events and 1 MiB, of which each event takes 26 bytes beside its message, says the page of `docs`.
  batch: { items: 10_000, bytes: 768 * 1024 },
  request: (alert, config, context) => putEvents([alert], config, context),
  requestBatch: putEvents,
  parts: byDay,
  verdict,
  async prepare(config, send, context) {
    if (config.logstream !== '') return;
    const request = { ...call(config, context, 'CreateLogStream', {}), setup: true as const };
    const answer = await send(request, AbortSignal.timeout(SETUP_TIMEOUT_MS));
    if (errorCode(answer) !== 'ResourceAlreadyExistsException') judgeAws(answer, context.now, []);
  },
  templateBody: () => 'text',
  example: {
    loggroup: 'falco',
    logstream: 'alerts',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
