import { HTTP } from 'cloudevents';
import { expect, it } from 'vitest';
import type { Alert, HttpRequest } from '../../../src/core/contract.ts';
import cloudevents from '../../../src/outputs/cloudevents/index.ts';
import { falcoAlert } from '../../support/services/alerts.ts';
import { hostOf } from '../../support/services/drive.ts';

async function requestFor(alert: Alert): Promise<HttpRequest> {
  let sent: HttpRequest | undefined;
  const host = {
    ...hostOf(),
    http: {
      send: async (request: HttpRequest) => {
        sent = request;
        return { status: 202, headers: {}, body: '' };
      },
    },
  };
  const config = cloudevents.keys.parse({
    address: 'http://broker.test/',
    extensions: { Cluster: 'west' },
  });
  const output = await cloudevents.open(config as never, host);
  await output.send([alert], { signal: new AbortController().signal, attempt: 1 });
  return sent!;
}

it('is read by the SDK of CloudEvents', async () => {
  const alert = falcoAlert();
  const { headers, body } = await requestFor(alert);
  const event = HTTP.toEvent({ headers, body: String(body) });
  expect(event).toMatchObject({
    id: alert.uuid,
    source: 'https://falco.org',
    type: 'falco.rule.output.v1',
    specversion: '1.0',
    datacontenttype: 'application/json',
    rule: alert.rule,
    priority: alert.priority,
    eventsource: alert.source,
    hostname: alert.hostname,
    cluster: 'west',
  });
  expect((event as { data: { uuid: string } }).data.uuid).toBe(alert.uuid);
});

it('keeps its headers within what servers take, whatever the alert says', async () => {
  const long = '漢\n'.repeat(50_000);
  const { headers } = await requestFor(falcoAlert({ rule: long, source: long, hostname: long }));
  const size = Object.entries(headers).reduce((sum, pair) => sum + Buffer.byteLength(pair.join(': ')) + 2, 0);
  expect(size).toBeLessThan(8 * 1024);
});

it('tells the time in UTC, as the SDK for Go (and so falcosidekick) does', async () => {
  const timeOf = async (time: string) => (await requestFor(falcoAlert({ time }))).headers['ce-time'];
  expect(await timeOf('2024-03-10T02:30:00.000000001+05:30')).toBe('2024-03-09T21:00:00.000000001Z');
  expect(await timeOf('2024-02-29T23:59:59.5-07:00')).toBe('2024-03-01T06:59:59.5Z');
  expect(await timeOf('2024-03-10T02:30:00.25Z')).toBe('2024-03-10T02:30:00.25Z');
});
