import { expect, test } from 'vitest';
import type { HttpRequest } from '../../../src/core/contract.ts';
import webui from '../../../src/outputs/webui.ts';
import { alertOfRule } from '../../support/delivery.ts';
import { patience } from '../../support/http-client.ts';
import { hostOf } from '../../support/services/drive.ts';

test('names the outputs that are on at the time as falcosidekick does, each once', async () => {
  const requests: HttpRequest[] = [];
  let on = ['webui'];
  const output = await webui.open(webui.keys.parse(webui.example), {
    ...hostOf(),
    http: {
      async send(request) {
        requests.push(request);
        return { status: 200, headers: {}, body: '' };
      },
    },
    outputs: () => on,
  });
  const send = () => output.send([alertOfRule('r')], { signal: patience(), attempt: 1 });
  await send();
  on = ['slack', 'slack', 'aws.sqs', 'azure.eventhub', 'n8n', 'otlp.logs', 'googlechat', 'loki', 'console'];
  await send();
  expect(requests.map(({ body }) => JSON.parse(String(body)).outputs)).toEqual([
    ['WebUI'],
    ['Slack', 'AWSSQS', 'EventHub', 'n8n', 'OTLPLogs', 'GoogleChat', 'Loki', 'Console'],
  ]);
});
