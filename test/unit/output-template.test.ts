/** `template` of an output, seen from the far end. */
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { OutputInstance } from '../../src/core/config/types.ts';
import {
  defineOutput,
  type HttpRequest,
  type Output,
  type OutputDefinition,
  type TemplateBody,
} from '../../src/core/contract.ts';
import { openOutput, systemClock } from '../../src/core/host.ts';
import cloudevents from '../../src/outputs/cloudevents/index.ts';
import { outputs } from '../../src/outputs/index.ts';
import otlpLogs from '../../src/outputs/otlp-logs/index.ts';
import pagerduty from '../../src/outputs/pagerduty/index.ts';
import slack from '../../src/outputs/slack.ts';
import telegram from '../../src/outputs/telegram/index.ts';
import webhook from '../../src/outputs/webhook.ts';
import { alertOf } from '../support/alerts.ts';
import { load, problemsOf, warningsOf } from '../support/config.ts';
import { openAgainst } from '../support/contract.ts';
import { instanceOf } from '../support/delivery.ts';
import { patience } from '../support/http-client.ts';
import { always, HttpSink } from '../support/http-sink.ts';
import { recordingLogger } from '../support/logger.ts';

let sink: HttpSink;
let opened: Output | undefined;
let failures: string[];
beforeEach(async () => {
  sink = await HttpSink.listen(always(200, 'ok'));
  failures = [];
});
afterEach(async () => {
  await opened?.close?.();
  opened = undefined;
  await sink.close();
});

const ALERT = `{"uuid":"0b6f3f0e-6c5b-4d43-9a55-2f1f6f3f7b01","output":"a \\"shell\\"","priority":"Critical","rule":"Shell",
  "time":"2026-01-31T12:00:00.5Z","output_fields":{"evt.time":1743606903434319636,"ratio":12.50},"source":"syscall","more":{"output":1}}`;

interface Given {
  definition?: OutputDefinition;
  config?: Record<string, unknown>;
  template: Partial<NonNullable<OutputInstance['template']>>;
  headers?: Record<string, string>;
}

async function open({ definition = webhook, config, template, headers = {} }: Given): Promise<Output> {
  const instance = instanceOf();
  opened = await openOutput(
    {
      ...instance,
      definition,
      config: definition.keys.parse(config ?? { address: `${sink.origin}/in` }) as Record<string, unknown>,
      connection: { ...instance.connection, headers },
      template: { body: '', text: '', title: '', ...template },
    },
    {
      clock: systemClock,
      log: recordingLogger(),
      env: {},
      outputs: () => [],
      customFields: () => [],
      templatedFields: () => [],
      templateFailed: (_id, error) => void failures.push((error as Error).message),
    },
  );
  return opened;
}

async function sent(given: Given, alert = ALERT) {
  const output = await open(given);
  await output.send([alertOf(alert)], { signal: patience(), attempt: 1 });
  return sink.requests.at(-1)!;
}

describe('body', () => {
  const body = '{ "title": {{ toJson .Rule }}, "at": {{ toJson (index .OutputFields "evt.time") }} }';
  const filled = '{ "title": "Shell", "at": 1743606903434319636 }';

  test('is the whole body; address, method and headers stay', async () => {
    const request = await sent({
      config: { address: `${sink.origin}/in?a=1`, method: 'PUT' },
      template: { body },
    });
    expect(request).toMatchObject({ method: 'PUT', target: '/in?a=1', body: filled });
    expect(request.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(failures).toEqual([]);
  });

  test('goes with outputs that have a library of their own', async () => {
    const url = `${sink.origin}/hook`;
    expect(await sent({ definition: slack, config: { webhookurl: url }, template: { body } })).toMatchObject({
      body: filled,
    });
    const request = await sent({ definition: cloudevents, config: { address: url }, template: { body } });
    expect(request.body).toBe(filled);
    expect(request.headers['ce-rule']).toBe('Shell');
  });

  test('of each alert goes with its own request, however many are under way', async () => {
    const output = await open({ template: { body: '{{ toJson .Rule }}' } });
    const rules = Array.from({ length: 20 }, (_, index) => `rule ${index}`);
    await Promise.all(
      rules.map(rule =>
        output.send([alertOf(JSON.stringify({ ...JSON.parse(ALERT), rule }))], {
          signal: patience(),
          attempt: 1,
        }),
      ),
    );
    expect(sink.requests.map(request => JSON.parse(request.body)).sort()).toEqual([...rules].sort());
  });

  test.each([
    ['fails on the alert', '{{ .Rule.Name }}', /Name/],
    ['gives no JSON where JSON is promised', '{ "title": {{ .Rule }} }', /^the body is not JSON$/],
    ['gives nothing', '{{ if false }}{}{{ end }}', /^the body is not JSON$/],
  ])('that %s is left out, and told of', async (_what, template, told) => {
    const request = await sent({ template: { body: template } });
    expect(JSON.parse(request.body)).toMatchObject({ rule: 'Shell' });
    expect(failures).toEqual([expect.stringMatching(told)]);
  });

  test('need not be JSON where the headers promise something else', async () => {
    const headers = { 'Content-Type': 'text/plain' };
    const request = await sent({ template: { body: '{{ .Rule }}!' }, headers });
    expect(request.body).toBe('Shell!');
    expect(failures).toEqual([]);
  });

  test('is no way to write what is no text', async () => {
    const headers = { 'content-type': 'application/x-protobuf' };
    const request = await sent({ template: { body }, headers });
    expect(JSON.parse(request.body)).toMatchObject({ rule: 'Shell' });
    expect(failures).toEqual(['a text cannot be application/x-protobuf']);
  });

  test('has to be JSON where only the headers promise it', async () => {
    const headers = { 'content-type': 'application/vnd.acme.v2+json' };
    const { body } = await sent({ template: { body: '{{ .Rule }}!' }, headers });
    expect(JSON.parse(body)).toMatchObject({ rule: 'Shell' });
    expect(failures).toHaveLength(1);
  });

  test('is sent as it is by outputs that compress, and only for alerts', async () => {
    const definition = defineOutput({
      name: 'packed',
      title: 'Packed',
      category: 'other',
      docs: 'Only for tests.',
      http: true,
      keys: z.object({}),
      enabled: () => true,
      async open(_config, { http }) {
        const headers = { 'content-encoding': 'gzip', 'content-type': 'application/x-ndjson' };
        const body = gzipSync('as it was');
        const put = (path: string, more: Partial<HttpRequest> = {}) =>
          http.send({ method: 'PUT', url: sink.origin + path, headers, body, ...more }, patience());
        await put('/open');
        return {
          async send() {
            await put('/setup', { setup: true });
            await put('/alert');
          },
        };
      },
      example: {},
    });
    const request = await sent({ definition, config: {}, template: { body: 'own\n' } });
    expect(request).toMatchObject({ target: '/alert', body: 'own\n' });
    expect(request.headers).not.toHaveProperty('content-encoding');
    expect(sink.requests.slice(0, 2)).toMatchObject([
      { target: '/open', body: 'as it was' },
      { target: '/setup', body: 'as it was' },
    ]);
  });
});

describe('body, for an output whose alerts stand within what it sends', () => {
  const inside = (place: TemplateBody) =>
    defineOutput({
      name: 'lines',
      title: 'Lines',
      category: 'logs',
      docs: 'Only for tests.',
      http: true,
      keys: z.object({}),
      batch: { items: 100, bytes: 1 << 20, waitMs: 10 },
      enabled: () => true,
      templateBody: () => place,
      async open(_config, { http }) {
        return {
          async send(alerts) {
            const body = alerts.map(({ uuid, rule, json }) => `${uuid.length} ${rule}: ${json}\n`).join('');
            await http.send({ method: 'POST', url: sink.origin, headers: {}, body }, patience());
          },
        };
      },
      example: {},
    });
  const other = ALERT.replace('"Shell"', '"Other"');
  const sentBy = async (place: TemplateBody, template: Given['template']) => {
    const output = await open({ definition: inside(place), config: {}, template });
    await output.send([alertOf(ALERT), alertOf(other)], { signal: patience(), attempt: 1 });
    return sink.requests.at(-1)!.body;
  };

  test('is the JSON of each alert, on one line, with exact numbers', async () => {
    const body = '{\n  "title": {{ toJson .Rule }},\n  "at": {{ index .OutputFields "evt.time" }}\n}\n';
    expect(await sentBy('json', { body, title: 'T' })).toBe(
      '36 T: {"title":"Shell","at":1743606903434319636}\n36 T: {"title":"Other","at":1743606903434319636}\n',
    );
    expect(failures).toEqual([]);
  });

  test('is left out for an alert for which it is no JSON', async () => {
    const body = '{ "title": {{ if eq .Rule "Other" }}{{ .Rule }}{{ else }}1{{ end }} }';
    expect(await sentBy('json', { body })).toBe(
      `36 Shell: { "title": 1 }\n36 Other: ${alertOf(other).json}\n`,
    );
    expect(failures).toEqual(['the body is not JSON']);
  });

  test('may be any text where the target takes any', async () => {
    expect(await sentBy('text', { body: '<{{ .Rule }}>' })).toBe('36 Shell: <Shell>\n36 Other: <Other>\n');
    expect(await sentBy('text', { body: '{{ "" }}' })).toContain(alertOf(other).json);
  });

  test('leaves alerts together', () => {
    const yaml = 'lines: { template: { body: x }, delivery: { batch: { items: 5 } } }';
    const options = { definitions: [inside('text')] };
    expect(load(yaml, options).outputs[0]!.delivery.batch).toMatchObject({ items: 5 });
    expect(warningsOf(yaml, options)).toEqual([]);
  });

  test('is refused where it has no place', () => {
    const yaml = 'lines:\n  template:\n    body: x';
    const options = { definitions: [inside({ refused: 'no place for it' })] };
    expect(problemsOf(yaml, options)).toEqual(['line 3: lines.template.body: no place for it']);
    expect(load('lines: { template: { text: x } }', options).outputs).toHaveLength(1);
  });

  test.each([
    ['policyreport:\n  enabled: true', /many alerts/],
    ['otlp:\n  metrics:\n    endpoint: http://collector.example', /many alerts/],
    ['otlp:\n  logs:\n    endpoint: http://collector.example\n    protocol: grpc', /gRPC/],
  ])('is refused by %j', (yaml, why) => {
    const indent = /^( *)\S[^\n]*$/.exec(yaml.split('\n').at(-1)!)![1]!;
    const problems = problemsOf(`${yaml}\n${indent}template:\n${indent}  body: "{}"`, {
      definitions: outputs,
    });
    expect(problems).toEqual([expect.stringMatching(why)]);
    expect(load(yaml, { definitions: outputs }).outputs).toHaveLength(1);
  });
});

test('OTLP over HTTP sends the JSON of a template as JSON', async () => {
  const config = { endpoint: sink.origin, compression: 'gzip' };
  const request = await sent({ definition: otlpLogs, config, template: { body: '{"resourceLogs":[]}' } });
  expect(request).toMatchObject({ target: '/v1/logs', body: '{"resourceLogs":[]}' });
  expect(request.headers['content-type']).toBe('application/json');
  expect(request.headers).not.toHaveProperty('content-encoding');
});

test('what OTLP over HTTP says of JSON that it refused is heard', async () => {
  const said = { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'too old' } };
  sink.reply = always(200, JSON.stringify(said));
  const given = { definition: otlpLogs, config: { endpoint: sink.origin }, template: { body: '{}' } };
  await expect(sent(given)).rejects.toThrow(/refused .*too old/);
});

test.each([
  ['telegram', telegram, { token: 't', chatid: '7' }, { chat_id: '7', text: 'Shell' }],
  ['pagerduty', pagerduty, { routingkey: 'k' }, { routing_key: 'k', event_action: 'trigger', text: 'Shell' }],
])('%s adds what its calls need', async (_name, definition, config, body) => {
  const template = { body: '{ "text": {{ toJson .Rule }} }', text: '', title: '' };
  const { output, requests } = await openAgainst(definition as OutputDefinition, sink, {
    config: definition.keys.parse(config),
    template,
  });
  await output.send([alertOf(ALERT)], { signal: patience(), attempt: 1 });
  expect(JSON.parse(String(requests[0]!.body))).toEqual(body);
});

describe('text and title', () => {
  test('stand in for text and rule, and change nothing else', async () => {
    const { body } = await sent({
      template: { text: '{{ .Output }} ✓ ({{ .Rule }})', title: '{{ .Priority }}: {{ .Rule }}' },
    });
    const plain = alertOf(ALERT).json;
    expect(body).toBe(
      plain
        .replace('"output":"a \\"shell\\""', '"output":"a \\"shell\\" ✓ (Shell)"')
        .replace('"rule":"Shell"', '"rule":"Critical: Shell"'),
    );
    expect(body).toContain('1743606903434319636');
  });

  test('are what messages are made of', async () => {
    const config = { webhookurl: `${sink.origin}/hook` };
    const template = { text: 'see {{ urlquery .Rule }}', title: 'T' };
    const { body } = await sent({ definition: slack, config, template });
    const [attachment] = JSON.parse(body).attachments;
    expect(attachment.text).toBe('see Shell');
    expect(attachment.fields[0]).toMatchObject({ title: 'rule', value: 'T' });
  });

  test('that fail or give nothing leave what the alert has', async () => {
    const { body } = await sent({ template: { text: '{{ .Output.X }}', title: '{{ "" }}' } });
    expect(body).toBe(alertOf(ALERT).json);
    expect(failures).toHaveLength(1);
  });
});

describe('in the configuration', () => {
  const slackWith = (template: string) =>
    `slack:\n  webhookurl: https://hooks.example/token\n  template:\n${template}`;

  test('is read from the file and the environment', () => {
    const yaml = slackWith('    title: "{{ .Rule }}"\n    text: x');
    const [instance] = load(yaml, { env: { SLACK_TEMPLATE_TEXT: '{{ .Output }}' } }).outputs;
    expect(instance!.template).toEqual({ body: '', text: '{{ .Output }}', title: '{{ .Rule }}' });
    expect(load('slack: { webhookurl: "https://hooks.example/token" }').outputs[0]!.template).toBeUndefined();
  });

  test('is another output when it changes', () => {
    const [a, b] = ['x', 'y'].map(text => load(slackWith(`    text: ${text}`)).outputs[0]!.fingerprint);
    expect(a).not.toBe(b);
  });

  test('is refused with its place and line when it is no template', () => {
    const yaml = slackWith('    text: ok\n    body: |\n      {\n        {{ .Rule }\n      }\n');
    expect(problemsOf(yaml)).toEqual([
      expect.stringMatching(/^line 5: slack\.template\.body: not a template: line 2: /),
    ]);
  });

  test('makes alerts go alone where there is a body', () => {
    const batched = defineOutput({
      name: 'bulk',
      title: 'Bulk',
      category: 'logs',
      docs: 'Only for tests.',
      http: true,
      keys: z.object({}),
      batch: { items: 100, bytes: 1 << 20, waitMs: 10 },
      enabled: () => true,
      open: () => Promise.reject(new Error('not used')),
      example: {},
    });
    const definitions = [batched];
    expect(load('bulk: { template: { text: x } }', { definitions }).outputs[0]!.delivery.batch).toBeDefined();
    const yaml = 'bulk: { template: { body: x }, delivery: { batch: { items: 5 } } }';
    expect(load(yaml, { definitions }).outputs[0]!.delivery).not.toHaveProperty('batch');
    expect(warningsOf(yaml, { definitions })).toEqual([
      expect.stringContaining('bulk.delivery.batch: with `template.body` each alert goes alone'),
    ]);
  });
});
