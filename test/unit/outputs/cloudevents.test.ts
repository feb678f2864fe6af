import { HTTP } from 'cloudevents';
import { expect, it } from 'vitest';
import type { HttpRequest } from '../../../src/core/contract.ts';
import cloudevents from '../../../src/outputs/cloudevents/index.ts';
import { falcoAlert } from '../../support/services/alerts.ts';
import { hostOf } from '../../support/services/drive.ts';

it('is read by the SDK of CloudEvents', async () => {
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
  const alert = falcoAlert();
  await output.send([alert], { signal: new AbortController().signal, attempt: 1 });

  const event = HTTP.toEvent({ headers: sent!.headers, body: String(sent!.body) });
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
