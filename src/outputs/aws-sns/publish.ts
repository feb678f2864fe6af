import type { Alert, HttpResponse } from '../../core/contract.ts';
import type { AwsContext, AwsRequest } from '../_kit/aws/define.ts';
import { atService, serviceUrl } from '../_kit/aws/endpoint.ts';
import { settleEntries } from '../_kit/aws/entries.ts';
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

export function verdict(response: HttpResponse, alerts: readonly Alert[], batched: boolean): void {
  if (!batched) return;
  const refused = /<Failed>(.*)<\/Failed>/s.exec(response.body)?.[1] ?? '';
  const entries = [...refused.matchAll(/<member>(.*?)<\/member>/gs)].map(([, entry]) => {
    const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry!)?.[1] ?? '';
    return { position: Number(of('Id')), code: of('Code'), senderFault: of('SenderFault') === 'true' };
  });
  settleEntries(alerts.length, entries);
}
