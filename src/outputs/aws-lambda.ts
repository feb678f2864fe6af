import { RetriableError } from '../core/errors.ts';
import { oneOf, text, url } from '../core/keys.ts';
import { defineAwsOutput } from './_kit/aws/define.ts';
import { arnRegion, atService, serviceUrl } from './_kit/aws/endpoint.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { encodeRfc3986 } from './_kit/aws/sign.ts';

export default defineAwsOutput({
  name: 'aws.lambda',
  title: 'AWS Lambda',
  category: 'function',
  docs: 'Invokes a function with each alert as JSON, see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.',
  keys: {
    functionname: text('Name or ARN of the function; setting it turns the output on.'),
    invocationtype: oneOf(
      'Whether the function’s end is awaited (`RequestResponse`), or it only has to be queued (`Event`).',
      ['RequestResponse', 'Event', 'DryRun'],
      'RequestResponse',
    ),
    logtype: oneOf('Whether the answer holds the end of the log.', ['Tail', 'None'], 'Tail'),
    endpoint: url('Address of the service, where it is not that of the region.'),
    ...awsKeys,
  },
  enabledBy: 'functionname',
  service: 'lambda',
  regionOf: ({ functionname }) => arnRegion(functionname),
  request: (alert, { functionname, invocationtype, logtype, endpoint }, { region }) => ({
    method: 'POST',
    url: atService(
      endpoint || serviceUrl('lambda', region, 'LAMBDA'),
      `/2015-03-31/functions/${encodeRfc3986(functionname)}/invocations`,
    ),
    headers: {
      'content-type': 'application/json',
      'x-amz-invocation-type': invocationtype,
      'x-amz-log-type': logtype,
    },
    body: alert.bytes,
  }),
  verdict({ headers }) {
    const failed = headers['x-amz-function-error'];
    if (failed !== undefined) {
      throw new RetriableError('the function ended with an error', { reason: 'server_error' });
    }
  },
  example: {
    functionname: 'falco-alerts',
    region: 'eu-west-1',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
