import type { Alert, HttpResponse } from '../../core/contract.ts';
import type { AwsContext, AwsRequest } from '../_kit/aws/define.ts';
import { atService, serviceUrl } from '../_kit/aws/endpoint.ts';
import { settleNamed } from '../_kit/aws/entries.ts';
import { outcomesUnknown } from '../_kit/refused.ts';
import { truncateBytes } from '../_kit/text.ts';
import { toAttributes } from './attributes.ts';
import { ILLEGAL, MAX_MESSAGE } from './text.ts';

interface SnsConfig {
  topicarn: string;
  rawjson: boolean;
  endpoint: string;
}

/** The parameters of one message, their names after `prefix`. */
export function messageParameters(alert: Alert, config: SnsConfig, prefix: string): [string, string][] {
  const whole = alert.json.replace(ILLEGAL, character => `\\u${character.charCodeAt(0).toString(16)}`);
  // An empty message is refused.
  const plain = truncateBytes(alert.output.replace(ILLEGAL, '\ufffd'), MAX_MESSAGE) || alert.rule || '-';
  const parameters: [string, string][] = [
    [`${prefix}Message`, config.rawjson || alert.templated ? whole : plain],
  ];
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

export function call(
  action: string,
  config: SnsConfig,
  parameters: [string, string][],
  { region }: AwsContext,
): AwsRequest {
  const form = new URLSearchParams([['Action', action], ['Version', '2010-03-31'], ...parameters]);
  form.append('TopicArn', config.topicarn);
  return {
    method: 'POST',
    url: atService(config.endpoint || serviceUrl('sns', region, 'SNS')),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  };
}

/** docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html, "Response Elements". */
export function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  if (response.isCut || isCutXml(response.body)) throw outcomesUnknown(response);
  const failed = membersOf('Failed', response.body).map(textOf => ({
    id: textOf('Id'),
    code: textOf('Code'),
    senderFault: textOf('SenderFault') === 'true',
  }));
  const taken = membersOf('Successful', response.body).map(textOf => textOf('Id'));
  settleNamed(response, alerts.length, { taken, failed });
}

/** Whether the first element is not closed. */
function isCutXml(body: string): boolean {
  if (!/^\s*</.test(body)) return false;
  const root = /<([A-Za-z][\w.:-]*)/.exec(body)?.[1];
  return root === undefined || !body.includes(`</${root}>`);
}

/** The members of a list, each as a function that gives the text of one of its elements; empty when it is not there. */
function membersOf(list: string, body: string): ((name: string) => string)[] {
  const members = new RegExp(`<${list}>(.*?)</${list}>`, 's').exec(body)?.[1] ?? '';
  return [...members.matchAll(/<member>(.*?)<\/member>/gs)].map(
    ([, member]) =>
      name =>
        new RegExp(`<${name}>([^<]*)</${name}>`).exec(member!)?.[1] ?? '',
  );
}
