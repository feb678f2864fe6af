import type { Alert, HttpResponse } from '../core/contract.ts';
import type { PermanentError, RetriableError } from '../core/errors.ts';
import { isRawNumber, type JsonValue, toText } from '../core/json.ts';
import { flag, text, url } from '../core/keys.ts';
import { entryFailure } from './_kit/aws/answers.ts';
import { type AwsContext, type AwsRequest, defineAwsOutput } from './_kit/aws/define.ts';
import { arnRegion, serviceUrl } from './_kit/aws/endpoint.ts';
import { awsKeys } from './_kit/aws/settings.ts';
import { batchingKey } from './_kit/batching.ts';
import { settle } from './_kit/settle.ts';
import { truncateBytes } from './_kit/text.ts';

// Message and attributes together may have 256 KiB: docs.aws.amazon.com/sns/latest/api/API_Publish.html.
const MAX_MESSAGE = 128 * 1024;
const MAX_ATTRIBUTES = 100 * 1024;

interface SnsConfig {
  topicarn: string;
  rawjson: boolean;
  endpoint: string;
}

interface Attribute {
  type: 'String' | 'Number';
  value: string;
}

/** What no text of SNS may hold: all but the characters of XML 1.0. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/**
 * A field as an attribute's name, `proc.aname[2]` → `proc.aname.2`. SNS takes letters, digits, `_`, `-` and `.`, the last
 * neither doubled nor at an end: docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html.
 */
export function toAttributeName(field: string): string {
  return field
    .replaceAll(']', '')
    .replaceAll('[', '.')
    .replace(/[^A-Za-z0-9_.-]/g, '_')
    .replace(/\.{2,}/g, '.')
    .slice(0, 256)
    .replace(/^\.|\.$/g, '')
    .replace(/^(aws|amazon)\./i, '_$1.');
}

function toAttribute(value: JsonValue): Attribute | undefined {
  if (typeof value === 'string') {
    const legal = value.replace(ILLEGAL, '\ufffd');
    return legal === '' ? undefined : { type: 'String', value: legal };
  }
  if (typeof value !== 'number' && !isRawNumber(value)) return undefined;
  const digits = toText(value);
  // What SNS takes for a number ends at 10^126.
  return { type: Math.abs(Number(digits)) < 1e126 ? 'Number' : 'String', value: digits };
}

/** Facts and fields by attribute name; as many as there is room for, the facts first. */
export function toAttributes(alert: Alert): Map<string, Attribute> {
  const { priority, rule, source, hostname } = alert;
  const facts = { priority, rule, source, tags: alert.tags.join(','), hostname };
  const found = new Map<string, Attribute>();
  let room = MAX_ATTRIBUTES;
  for (const [field, value] of [...Object.entries(facts), ...Object.entries(alert.outputFields)]) {
    const name = toAttributeName(field);
    const attribute = toAttribute(value);
    if (!attribute || name === '' || found.has(name)) continue;
    const size = name.length + attribute.type.length + Buffer.byteLength(attribute.value);
    if (size > room) continue;
    room -= size;
    found.set(name, attribute);
  }
  return found;
}

/** The parameters of one message, their names after `prefix`. */
function messageParameters(alert: Alert, config: SnsConfig, prefix: string): [string, string][] {
  const whole = alert.json.replace(ILLEGAL, character => `\\u${character.charCodeAt(0).toString(16)}`);
  // An empty message is refused.
  const plain = truncateBytes(alert.output.replace(ILLEGAL, '\ufffd'), MAX_MESSAGE) || alert.rule || '-';
  const parameters: [string, string][] = [[`${prefix}Message`, config.rawjson ? whole : plain]];
  if (!config.rawjson) {
    [...toAttributes(alert)].forEach(([name, { type, value }], index) => {
      const entry = `${prefix}MessageAttributes.entry.${index + 1}`;
      parameters.push(
        [`${entry}.Name`, name],
        [`${entry}.Value.DataType`, type],
        [`${entry}.Value.StringValue`, value],
      );
    });
  }
  if (config.topicarn.endsWith('.fifo')) {
    parameters.push([`${prefix}MessageGroupId`, 'falco'], [`${prefix}MessageDeduplicationId`, alert.uuid]);
  }
  return parameters;
}

function call(
  action: string,
  config: SnsConfig,
  parameters: [string, string][],
  { region }: AwsContext,
): AwsRequest {
  const form = new URLSearchParams([['Action', action], ['Version', '2010-03-31'], ...parameters]);
  form.append('TopicArn', config.topicarn);
  return {
    method: 'POST',
    url: `${new URL(config.endpoint || serviceUrl('sns', region, 'SNS')).origin}/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  };
}

function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const failed = new Map<number, RetriableError | PermanentError>();
  const refused = /<Failed>(.*)<\/Failed>/s.exec(response.body)?.[1] ?? '';
  for (const [, entry] of refused.matchAll(/<member>(.*?)<\/member>/gs)) {
    const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry!)?.[1] ?? '';
    failed.set(Number(of('Id')), entryFailure(of('Code'), of('SenderFault') === 'true'));
  }
  settle(alerts.length, failed);
}

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
  example: {
    topicarn: 'arn:aws:sns:eu-west-1:123456789012:falco',
    accesskeyid: 'AKIAEXAMPLE',
    secretaccesskey: 'secret',
  },
});
