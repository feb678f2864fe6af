import { flag, text, url } from '../../core/keys.ts';
import { defineAwsOutput } from '../_kit/aws/define.ts';
import { arnRegion } from '../_kit/aws/endpoint.ts';
import { awsKeys } from '../_kit/aws/settings.ts';
import { batchingKey } from '../_kit/batching.ts';
import { call, messageParameters, verdict } from './publish.ts';

export default defineAwsOutput({
  name: 'aws.sns',
  title: 'AWS SNS',
  category: 'queue',
  docs: 'Publishes each alert to a topic of Amazon SNS, see https://docs.aws.amazon.com/sns/latest/api/API_Publish.html.',
  keys: {
    topicarn: text('ARN of the topic; setting it turns the output on.'),
    rawjson: flag('The message is the whole alert as JSON, instead of its text with the rest as attributes.'),
    endpoint: url('Address of the service, where it is not that of the region.'),
    batching: batchingKey(),
    ...awsKeys,
  },
  enabledBy: 'topicarn',
  service: 'sns',
  regionOf: ({ topicarn }) => arnRegion(topicarn),
  // Ten messages of 256 KiB together. The bytes of the alerts are nearly those of text and attributes.
  batch: { items: 10, bytes: 160 * 1024 },
  request: (alert, config, context) => call('Publish', config, messageParameters(alert, config, ''), context),
  requestBatch(alerts, config, context) {
    const parameters = alerts.flatMap((alert, index): [string, string][] => {
      const prefix = `PublishBatchRequestEntries.member.${index + 1}.`;
      return [[`${prefix}Id`, String(index)], ...messageParameters(alert, config, prefix)];
    });
    return call('PublishBatch', config, parameters, context);
  },
  verdict,
  templateBody: () => 'text',
  example: {
    topicarn: 'arn:aws:sns:eu-west-1:123456789012:falco',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
