/** Batches, hidden refusals and signing of the outputs to AWS. */
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { signRequest } from '../../../src/outputs/_kit/aws/sign.ts';
import cloudwatch from '../../../src/outputs/aws-cloudwatchlogs/index.ts';
import kinesis from '../../../src/outputs/aws-kinesis.ts';
import lambda from '../../../src/outputs/aws-lambda.ts';
import s3 from '../../../src/outputs/aws-s3.ts';
import { toAttributeName, toAttributes } from '../../../src/outputs/aws-sns/attributes.ts';
import sns from '../../../src/outputs/aws-sns/index.ts';
import sqs from '../../../src/outputs/aws-sqs/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { configOf, openAgainst } from '../../support/contract.ts';
import { closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, answer, HttpSink, type Received } from '../../support/http-sink.ts';

let sink: HttpSink;
beforeEach(async () => {
  sink = await HttpSink.listen(always(200, '{}'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await closeClients();
  await sink.close();
});

const alertAt = (time: string, fields: object = {}, output = 'text') =>
  alertOf(JSON.stringify({ rule: 'R', priority: 'Notice', time, output, output_fields: fields }));
const early = alertAt('2026-01-31T12:00:00Z');
const middle = alertAt('2026-01-31T13:00:00Z');
const late = alertAt('2026-01-31T14:00:00Z');

async function sendAll(definition: OutputDefinition, alerts = [early, middle, late], config = {}) {
  const settings = configOf(definition, { ...definition.example, ...config });
  const { output, requests } = await openAgainst(definition, sink, { config: settings });
  const error = await failureOf(output.send(alerts, { signal: patience(), attempt: 1 }));
  return { error, requests };
}

function partsOf(error: unknown): Map<number, unknown> {
  expect(error).toBeInstanceOf(PartialError);
  return new Map((error as PartialError).failed);
}

test('batches are made where they are asked for', () => {
  for (const definition of [sqs, sns, kinesis, cloudwatch, s3] as OutputDefinition[]) {
    const on = configOf(definition, { ...definition.example, batching: { enabled: true } });
    expect(definition.batchBy!(configOf(definition))).toBeUndefined();
    expect(definition.batchBy!(on)?.items).toBeGreaterThan(1);
  }
});

test('Kinesis says of each record how it fared', async () => {
  const records = [
    { SequenceNumber: '1', ShardId: 's' },
    { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'slow' },
    { ErrorCode: 'InternalFailure' },
  ];
  sink.reply = always(200, JSON.stringify({ FailedRecordCount: 2, Records: records }));
  const failed = partsOf((await sendAll(kinesis as OutputDefinition)).error);
  expect([...failed.keys()]).toEqual([1, 2]);
  expect(failed.get(1)).toMatchObject({ name: 'RetriableError', reason: 'rate_limited' });
  expect(failed.get(2)).toMatchObject({ name: 'RetriableError', reason: 'server_error' });
  const { Records } = JSON.parse(sink.requests[0]!.body);
  expect(Buffer.from(Records[1].Data, 'base64').toString()).toBe(middle.json);
});

test('SQS says of each message how it fared', async () => {
  const reply = {
    Successful: [{ Id: '1' }],
    Failed: [
      { Id: '0', SenderFault: true, Code: 'InvalidMessageContents' },
      { Id: '2', SenderFault: false, Code: 'RequestThrottled' },
    ],
  };
  sink.reply = always(200, JSON.stringify(reply));
  const failed = partsOf((await sendAll(sqs as OutputDefinition)).error);
  expect(failed.get(0)).toBeInstanceOf(PermanentError);
  expect(failed.get(2)).toMatchObject({ name: 'RetriableError', reason: 'rate_limited' });
  expect(failed.has(1)).toBe(false);
});

test('SNS says of each message how it fared', async () => {
  const member = '<member><Id>1</Id><Code>InvalidParameter</Code><SenderFault>true</SenderFault></member>';
  sink.reply = always(
    200,
    `<PublishBatchResponse><PublishBatchResult><Successful/><Failed>${member}</Failed></PublishBatchResult></PublishBatchResponse>`,
  );
  const failed = partsOf((await sendAll(sns as OutputDefinition)).error);
  expect([...failed]).toEqual([[1, expect.any(PermanentError)]]);
  const form = new URLSearchParams(sink.requests[0]!.body);
  expect(form.get('Action')).toBe('PublishBatch');
  expect(form.get('PublishBatchRequestEntries.member.3.Message')).toBe('text');
});

describe('an answer to a batch', () => {
  const slow = 'ProvisionedThroughputExceededException';
  const [ok, busy] = [
    { SequenceNumber: '1', ShardId: 's' },
    { ErrorCode: slow, ErrorMessage: 'slow' },
  ];
  const kept = (ids: string[]) =>
    `<Successful>${ids.map(id => `<member><Id>${id}</Id></member>`).join('')}</Successful>`;
  const lost = (id: string) => `<member><Id>${id}</Id><Code>Throttled</Code></member>`;
  const published = (inner: string) =>
    `<PublishBatchResponse><PublishBatchResult>${inner}</PublishBatchResult></PublishBatchResponse>`;
  const whole: [OutputDefinition, string][] = [
    [
      kinesis as OutputDefinition,
      JSON.stringify({ FailedRecordCount: 2, EncryptionType: 'NONE', Records: [busy, ok, busy] }),
    ],
    [
      sqs as OutputDefinition,
      JSON.stringify({
        Failed: [0, 2].map(Id => ({ Id: String(Id), Code: slow })),
        Successful: [{ Id: '1' }],
      }),
    ],
    [sns as OutputDefinition, published(`<Failed>${lost('0')}${lost('2')}</Failed>${kept(['1'])}`)],
    [
      cloudwatch as OutputDefinition,
      JSON.stringify({ rejectedLogEventsInfo: { tooOldLogEventEndIndex: 1, tooNewLogEventStartIndex: 2 } }),
    ],
  ];

  test.each(whole)('of $name names those that were not taken', async (definition, body) => {
    sink.reply = always(200, body);
    expect([...partsOf((await sendAll(definition)).error).keys()]).toEqual([0, 2]);
  });

  test.each(whole)('of $name that breaks off leaves none of them for delivered', async (definition, body) => {
    for (const length of [0, 10, body.length - 20, body.length - 1]) {
      sink.reply = (_request, socket) => void socket.end(answer(200, body).slice(0, length - body.length));
      expect((await sendAll(definition)).error).toMatchObject({
        name: 'RetriableError',
        message: expect.stringContaining('the answer does not say which alerts were taken'),
      });
      sink.reply = (_request, socket) => {
        const chunk = length === 0 ? '' : `${length.toString(16)}\r\n${body.slice(0, length)}\r\n`;
        socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
      };
      expect((await sendAll(definition)).error).toBeInstanceOf(RetriableError);
      // Its length does not tell.
      if (length === 0) continue;
      sink.reply = always(200, body.slice(0, length));
      expect((await sendAll(definition)).error).toBeInstanceOf(RetriableError);
    }
    // A single alert goes by the status.
    sink.reply = always(200, body.slice(0, -20));
    expect((await sendAll(definition, [early])).error).toBeUndefined();
  });

  test.each(whole.map(([definition]) => [definition]))(
    'of $name that says nothing of single alerts is a 200',
    async definition => {
      const empty = ['', '{}', 'ok', 'null', '[]', '<html><p>taken</html>', '<!doctype html>\n<html></html>'];
      const silent = ['{"Successful":[],"Failed":[]}', '{"Successful":[{"MessageId":"m"}]}', published('')];
      for (const body of [...empty, ...silent]) {
        sink.reply = always(200, body);
        expect((await sendAll(definition)).error).toBeUndefined();
      }
    },
  );

  test.each<[OutputDefinition, string, number[]]>([
    [sqs as OutputDefinition, '{"Successful":[{"Id":"0"}],"Failed":[]}', [1, 2]],
    [sns as OutputDefinition, published(`${kept(['2'])}<Failed>${lost('1')}</Failed>`), [0, 1]],
  ])('of $name that leaves some out: those are sent again', async (definition, body, again) => {
    sink.reply = always(200, body);
    const failed = partsOf((await sendAll(definition)).error);
    expect(new Set(failed.keys())).toEqual(new Set(again));
    for (const error of failed.values()) expect(error).toBeInstanceOf(RetriableError);
  });

  test.each<[OutputDefinition, string]>([
    [sqs as OutputDefinition, '{"Failed":[{"Id":"7","Code":"x"}]}'],
    [sqs as OutputDefinition, '{"Failed":[{"Code":"x"}]}'],
    [sns as OutputDefinition, published('<Failed><member><Code>x</Code></member></Failed>')],
  ])('of $name that names entries that nobody sent: all are sent again', async (definition, body) => {
    sink.reply = always(200, body);
    expect((await sendAll(definition)).error).toBeInstanceOf(RetriableError);
  });

  test('of Kinesis that counts records but does not name them: they are looked for', async () => {
    for (const reply of [{ FailedRecordCount: 1 }, { Records: [ok, busy] }]) {
      sink.reply = always(200, JSON.stringify(reply));
      expect((await sendAll(kinesis as OutputDefinition)).error).toBeInstanceOf(PermanentError);
    }
  });
});

test('CloudWatch gets events by time, and says which are too old or too new', async () => {
  const rejectedLogEventsInfo = { tooOldLogEventEndIndex: 1, tooNewLogEventStartIndex: 2 };
  sink.reply = always(200, JSON.stringify({ rejectedLogEventsInfo }));
  const failed = partsOf((await sendAll(cloudwatch as OutputDefinition, [late, early, middle])).error);
  const { logEvents } = JSON.parse(sink.requests[0]!.body);
  expect(logEvents.map(({ message }: { message: string }) => message)).toEqual([
    early.json,
    middle.json,
    late.json,
  ]);
  expect(new Set(failed.keys())).toEqual(new Set([0, 1]));
});

test('CloudWatch gets no more than 24 hours in a request, and what it does not take is told of by alert', async () => {
  const oldest = alertAt('2026-01-01T00:00:00Z');
  const dayBefore = alertAt('2026-01-30T12:00:00Z');
  const dayAfter = alertAt('2026-02-01T12:00:00.001Z');
  // As the service does: API_PutLogEvents.
  sink.reply = (request, socket) => {
    const times = JSON.parse(request.body).logEvents.map((event: { timestamp: number }) => event.timestamp);
    if (times.at(-1) - times[0] > 24 * 3_600_000) {
      return always(400, '{"__type":"InvalidParameterException"}')(request, socket);
    }
    const old = times.findLastIndex((time: number) => time < Date.parse('2026-01-17T00:00:00Z')) + 1;
    const rejected = { rejectedLogEventsInfo: { tooOldLogEventEndIndex: old } };
    return always(200, JSON.stringify(old > 0 ? rejected : {}))(request, socket);
  };
  const alerts = [
    dayAfter,
    early,
    oldest,
    dayBefore,
    alertAt('2026-01-17T00:00:00Z'),
    alertAt('2026-01-16T12:00:00Z'),
  ];
  const failed = partsOf((await sendAll(cloudwatch as OutputDefinition, alerts)).error);
  expect(new Set(failed.keys())).toEqual(new Set([2, 5]));
  const sent = sink.requests.map(({ body }) => JSON.parse(body).logEvents.length);
  expect(sent).toEqual([1, 2, 2, 1]);
});

test('CloudWatch refuses a whole day for one event: its neighbours of that day share the error', async () => {
  const dayBefore = alertAt('2026-01-30T12:00:00Z');
  sink.reply = (request, socket) =>
    request.body.includes(dayBefore.uuid)
      ? always(200, '{}')(request, socket)
      : always(400, '{"__type":"InvalidParameterException"}')(request, socket);
  const failed = partsOf((await sendAll(cloudwatch as OutputDefinition, [middle, dayBefore, late])).error);
  expect([...failed.keys()]).toEqual([0, 2]);
  expect(failed.get(0)).toBeInstanceOf(PermanentError);
  expect(failed.get(2)).toBe(failed.get(0));
});

test('CloudWatch makes the stream that nobody named, once', async () => {
  sink.reply = (request, socket) =>
    request.headers['x-amz-target'] === 'Logs_20140328.CreateLogStream'
      ? always(400, '{"__type":"ResourceAlreadyExistsException"}')(request, socket)
      : always(200, '{}')(request, socket);
  const { error } = await sendAll(cloudwatch as OutputDefinition, [early], { logstream: '' });
  expect(error).toBeUndefined();
  expect(sink.requests.map(({ headers }) => headers['x-amz-target'])).toEqual([
    'Logs_20140328.CreateLogStream',
    'Logs_20140328.PutLogEvents',
  ]);
});

test('a batch in S3 is one object of compressed lines in a partition', async () => {
  const { requests } = await sendAll(s3 as OutputDefinition);
  expect(requests).toHaveLength(1);
  expect(new URL(requests[0]!.url).pathname).toMatch(
    /^\/falco\/dt%3D2026-01-31\/hour%3D12\/[0-9a-f-]{36}\.ndjson\.gz$/,
  );
  const lines = gunzipSync(requests[0]!.body as Buffer).toString();
  expect(lines).toBe(`${early.json}\n${middle.json}\n${late.json}\n`);
});

test('the folders of batches can be others', async () => {
  const { requests } = await sendAll(s3 as OutputDefinition, [early, late], { layout: 'y={year}' });
  expect(new URL(requests[0]!.url).pathname).toMatch(/^\/falco\/y%3D2026\/[0-9a-f-]{36}\.ndjson\.gz$/);
  const wrong = configOf(s3 as OutputDefinition, { ...s3.example, layout: '{week}' });
  expect(s3.check!(wrong as never)).toMatchObject([{ path: 'layout' }]);
});

test('a function that ends with an error is called again', async () => {
  sink.reply = always(200, '{"errorMessage":"x"}', { 'x-amz-function-error': 'Unhandled' });
  const { error } = await sendAll(lambda as OutputDefinition, [early]);
  expect(error).toBeInstanceOf(RetriableError);
});

test('attributes of SNS have legal names and values', () => {
  expect(toAttributeName('proc.aname[2]')).toBe('proc.aname.2');
  expect(toAttributeName('k8s.ns.labels[team/color]')).toBe('k8s.ns.labels.team_color');
  expect(toAttributeName('.a..b.')).toBe('a.b');
  expect(toAttributeName('AWS.x')).not.toMatch(/^aws\./i);
  const fields = { empty: '', list: [1], rule: 'not this one', 'a[1]': 'x\u0000y' };
  const attributes = toAttributes(alertAt('2026-01-31T12:00:00Z', fields));
  expect(attributes.get('rule')?.value).toBe('R');
  expect(attributes.get('a.1')?.value).toBe('x\ufffdy');
  expect(attributes.has('empty')).toBe(false);
  expect(attributes.has('list')).toBe(false);
});

test('the signature covers what a template and custom headers make of the request', async () => {
  const { output } = await openAgainst(sqs as OutputDefinition, sink, {
    template: { body: '{"own":1}', text: '', title: '' },
    connection: { headers: { 'content-type': 'application/x-amz-json-1.1' } },
  });
  await output.send([early], { signal: patience(), attempt: 1 });
  const { headers, body } = sink.requests[0]!;
  expect(JSON.parse(body).MessageBody).toBe('{"own":1}');
  const again = signRequest(
    {
      method: 'POST',
      url: `${sink.origin}/`,
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': headers['x-amz-target']!,
      },
      body,
    },
    { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' },
    { region: 'eu-west-1', service: 'sqs' },
    Date.parse('2026-01-31T12:00:00Z'),
  );
  expect(headers.authorization).toBe(again.headers.authorization);
});

test('a wrong clock costs one try: requests are signed by that of the service', async () => {
  const { output } = await openAgainst(sqs as OutputDefinition, sink);
  const send = () => failureOf(output.send([early], { signal: patience(), attempt: 1 }));
  const refusal = '{"__type":"com.amazon.coral.service#InvalidSignatureException"}';
  const at = (date: string) => always(400, refusal, { date });
  for (const reply of [at('Sat, 31 Jan 2026 12:03:00 GMT'), at('Sat, 31 Jan 2026 14:30:00 GMT')]) {
    sink.reply = reply;
    expect(await send()).toMatchObject({ name: 'RetriableError', reason: 'auth' });
  }
  sink.reply = always(200, '{}', { date: 'Sat, 31 Jan 2026 14:30:01 GMT' });
  await send();
  // Ours was set right.
  sink.reply = at('Sat, 31 Jan 2026 12:00:00 GMT');
  await send();
  await send();
  expect(sink.requests.map(({ headers }) => headers['x-amz-date'])).toEqual([
    '20260131T120000Z',
    '20260131T120000Z',
    '20260131T143000Z',
    '20260131T143000Z',
    '20260131T120000Z',
  ]);
});

test('asking whose credentials these are holds nothing up', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://sts.test');
  const asked = Promise.withResolvers<Received>();
  sink.reply = (request, socket) => {
    if (request.body.includes('GetCallerIdentity')) asked.resolve(request);
    else always(200, '{}')(request, socket);
  };
  const headers = { 'X-Gateway-Key': 'for the destination' };
  const { output } = await openAgainst(lambda as OutputDefinition, sink, { connection: { headers } });
  await output.send([early], { signal: patience(), attempt: 1 });
  expect((await asked.promise).headers).not.toHaveProperty('x-gateway-key');
  await output.close?.();
});
