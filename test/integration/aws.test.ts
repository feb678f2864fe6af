import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readParquet } from '../../scripts/gen/parquet.ts';
import type { OutputDefinition } from '../../src/core/contract.ts';
import { RetriableError } from '../../src/core/errors.ts';
import cloudwatch from '../../src/outputs/aws-cloudwatchlogs/index.ts';
import kinesis from '../../src/outputs/aws-kinesis.ts';
import s3 from '../../src/outputs/aws-s3.ts';
import securitylake from '../../src/outputs/aws-securitylake/index.ts';
import sqs from '../../src/outputs/aws-sqs/index.ts';
import yandexS3 from '../../src/outputs/yandex-s3.ts';
import { TestDaemon, until } from '../e2e/support.ts';
import { numbersIn, survivesOutage } from '../support/broker-outage.ts';
import { closeClients } from '../support/http-client.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../support/services/drive.ts';
import { httpHostOf } from '../support/services/http.ts';
import { type Moto, missingMoto, REGION, startMoto } from '../support/services/moto.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort } from '../support/services/process.ts';

const KEYS = { accesskeyid: 'AKIDTEST', secretaccesskey: 'secret', checkidentity: false };
const BATCHING = { enabled: true };

describeWith('aws', missingMoto(), () => {
  let moto: Moto;
  beforeAll(async () => {
    moto = await startMoto();
  });
  afterAll(async () => {
    await closeClients();
    await moto?.remove();
  });

  const open = (definition: OutputDefinition, config: Record<string, unknown>) =>
    openOutput(definition, { region: REGION, ...KEYS, ...config }, httpHostOf());
  const queue = async (name: string) => {
    await moto.call('sqs', 'AmazonSQS.CreateQueue', { QueueName: name });
    return `${moto.origin}/123456789012/${name}`;
  };

  async function messagesOf(url: string): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const input = { QueueUrl: url, MaxNumberOfMessages: 10 };
      type Answer = { Messages?: { Body: string }[] };
      const { Messages = [] } = await moto.call<Answer>('sqs', 'AmazonSQS.ReceiveMessage', input);
      if (Messages.length === 0) return found.sort();
      found.push(...Messages.map(({ Body }) => Body));
    }
  }

  async function recordsOf(stream: string): Promise<string[]> {
    const shard = { StreamName: stream, ShardId: 'shardId-000000000000', ShardIteratorType: 'TRIM_HORIZON' };
    type Page = { NextShardIterator: string; Records: { Data: string }[] };
    let { ShardIterator: next } = await moto.call<{ ShardIterator: string }>(
      'kinesis',
      'Kinesis_20131202.GetShardIterator',
      shard,
    );
    const found: string[] = [];
    for (;;) {
      const input = { ShardIterator: next, Limit: 10_000 };
      const { Records, NextShardIterator } = await moto.call<Page>(
        'kinesis',
        'Kinesis_20131202.GetRecords',
        input,
      );
      if (Records.length === 0) return found;
      found.push(...Records.map(({ Data }) => Buffer.from(Data, 'base64').toString()));
      next = NextShardIterator;
    }
  }

  async function objectsOf(bucket: string): Promise<{ key: string; bytes: Buffer }[]> {
    const list = (await moto.getS3(`/${bucket}?list-type=2`)).toString();
    const keys = [...list.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key!);
    return Promise.all(
      keys.map(async key => ({
        key,
        bytes: await moto.getS3(`/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`),
      })),
    );
  }

  test('SQS gets every alert, alone or ten at a time', async () => {
    const url = await queue('falco');
    const alerts = falcoAlerts(21);
    const single = await open(sqs, { url });
    await trySend(single, [alerts[0]!]);
    const batched = await open(sqs, { url, batching: BATCHING });
    await trySend(batched, alerts.slice(1, 11));
    await trySend(batched, alerts.slice(11));
    expect(await messagesOf(url)).toEqual(alerts.map(({ json }) => json).sort());
  });

  test('Kinesis gets every alert, alone or hundreds at a time', async () => {
    await moto.call('kinesis', 'Kinesis_20131202.CreateStream', { StreamName: 'falco', ShardCount: 1 });
    const alerts = falcoAlerts(301);
    await trySend(await open(kinesis, { streamname: 'falco', endpoint: moto.origin }), [alerts[0]!]);
    const batched = await open(kinesis, { streamname: 'falco', endpoint: moto.origin, batching: BATCHING });
    await trySend(batched, alerts.slice(1));
    expect((await recordsOf('falco')).sort()).toEqual(alerts.map(({ json }) => json).sort());
  });

  test('CloudWatch Logs gets every alert', async () => {
    await moto.call('logs', 'Logs_20140328.CreateLogGroup', { logGroupName: 'falco' });
    const time = (ago: number) => new Date(Date.now() - ago).toISOString();
    const alerts = [3000, 1000, 2000].map(ago => falcoAlert({ time: time(ago) }));
    const config = { loggroup: 'falco', endpoint: moto.origin, batching: BATCHING };
    await trySend(await open(cloudwatch, config), alerts);
    const input = { logGroupName: 'falco', logStreamName: 'falcosidekick-logstream', startFromHead: true };
    const { events } = await moto.call<{ events: { message: string }[] }>(
      'logs',
      'Logs_20140328.GetLogEvents',
      input,
    );
    expect(events.map(({ message }) => message)).toEqual([0, 2, 1].map(at => alerts[at]!.json));
  });

  test.each([
    ['S3', s3 as OutputDefinition],
    ['Yandex', yandexS3 as OutputDefinition],
  ])(
    'a bucket of %s has an object for each alert, or one of compressed lines for many',
    async (name, definition) => {
      const bucket = `falco-${name.toLowerCase()}`;
      await moto.createBucket(bucket);
      const alerts = falcoAlerts(50);
      const single = await open(definition, { bucket, endpoint: moto.origin });
      await trySend(single, [alerts[0]!]);
      await trySend(single, [alerts[1]!]);
      const batched = await open(definition, { bucket, endpoint: moto.origin, batching: BATCHING });
      for (let times = 0; times < 2; times++) await trySend(batched, alerts.slice(2));
      const objects = await objectsOf(bucket);
      const plain = objects.filter(({ key }) => key.endsWith('.json'));
      const packed = objects.filter(({ key }) => key.endsWith('.gz'));
      expect(plain.map(({ bytes }) => bytes.toString()).sort()).toEqual(
        alerts
          .slice(0, 2)
          .map(({ json }) => json)
          .sort(),
      );
      // Sent twice, stored once.
      expect(packed).toHaveLength(1);
      expect(packed[0]!.key).toMatch(/^falco\/dt=\d{4}-\d\d-\d\d\/hour=\d\d\/[0-9a-f-]{36}\.ndjson\.gz$/);
      expect(gunzipSync(packed[0]!.bytes).toString()).toBe(
        alerts
          .slice(2)
          .map(({ json }) => `${json}\n`)
          .join(''),
      );
    },
  );

  test('a lake has a file of findings', async () => {
    await moto.createBucket('lake');
    const alerts = falcoAlerts(30);
    const place = { bucket: 'lake', prefix: 'ext/falco', accountid: '123456789012' };
    await trySend(await open(securitylake, { ...place, endpoint: moto.origin }), alerts);
    const [file, ...others] = await objectsOf('lake');
    expect(others).toEqual([]);
    expect(file!.key).toMatch(
      /^ext\/falco\/region=eu-west-1\/accountId=123456789012\/eventDay=20260304\/[0-9a-f-]{36}\.parquet$/,
    );
    expect(readParquet(file!.bytes)['finding.uid']).toEqual(alerts.map(({ uuid }) => uuid));
  });

  test('alerts that wait for their file are not lost when the daemon is killed', async () => {
    await moto.createBucket('waiting');
    const daemon = new TestDaemon();
    const place = { bucket: 'waiting', prefix: 'ext/falco', accountid: '123456789012', batchsize: 10 };
    const lake = { ...place, endpoint: moto.origin, region: REGION, ...KEYS };
    const configOf = (wait: string) => ({
      aws: { securitylake: { ...lake, delivery: { batch: { wait } } } },
    });
    const rows = async () => {
      const files = (await objectsOf('waiting')).map(({ bytes }) => readParquet(bytes)['finding.desc']!);
      return files.flat().map(String);
    };
    try {
      await daemon.start(configOf('10m'));
      for (let number = 0; number < 25; number++) {
        const alert = { output: `alert number ${number}`, priority: 'Notice', rule: 'Waiting' };
        expect(await daemon.post({ ...alert, time: '2026-03-04T10:15:02Z' })).toBe(200);
      }
      await until('two files are full', async () => (await rows()).length === 20);
      await daemon.end('SIGKILL');
      daemon.configure(configOf('100ms'));
      await daemon.restart();
      await until('the rest is there', async () => new Set(await rows()).size === 25);
    } finally {
      await daemon.remove();
    }
  }, 60_000);

  test('a queue that is not there, and a service that is not there', async () => {
    const missing = await open(sqs, { url: `${moto.origin}/123456789012/missing` });
    expect(await failureOf(trySend(missing, falcoAlerts(1)))).toMatchObject({ name: 'PermanentError' });
    const away = await open(kinesis, {
      streamname: 'falco',
      endpoint: `http://127.0.0.1:${await freePort()}`,
    });
    expect(await failureOf(trySend(away, falcoAlerts(1)))).toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
  });

  test('an outage of Kinesis loses nothing', async () => {
    const streamname = 'outage';
    await moto.call('kinesis', 'Kinesis_20131202.CreateStream', { StreamName: streamname, ShardCount: 1 });
    const batching = { enabled: true, flushinterval: '100ms' };
    const settings = {
      streamname,
      endpoint: moto.origin,
      region: REGION,
      ...KEYS,
      batching,
      // moto gives records that come at the same time the same number, and then has only one of them.
      maxconcurrentrequests: 1,
    };
    await survivesOutage({
      config: { aws: { kinesis: settings } },
      stop: moto.stop,
      start: moto.start,
      // Moto goes over its records while new ones come in, and at times answers 500 to whoever asks then.
      received: () => recordsOf(streamname).catch(() => []),
    });
    expect(new Set(numbersIn(await recordsOf(streamname))).size).toBe(5000);
  }, 120_000);
});

describeWith('aws with signatures checked', missingMoto(), () => {
  let moto: Moto;
  let keys: { accesskeyid: string; secretaccesskey: string };
  beforeAll(async () => {
    moto = await startMoto();
    await moto.iam('CreateUser', { UserName: 'falco' });
    const PolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['sqs:*', 's3:*', 'kinesis:*'], Resource: '*' }],
    });
    await moto.iam('PutUserPolicy', { UserName: 'falco', PolicyName: 'send', PolicyDocument });
    const made = await moto.iam('CreateAccessKey', { UserName: 'falco' });
    const textOf = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(made)![1]!;
    keys = { accesskeyid: textOf('AccessKeyId'), secretaccesskey: textOf('SecretAccessKey') };
    await moto.call('sqs', 'AmazonSQS.CreateQueue', { QueueName: 'falco' });
    await moto.call('kinesis', 'Kinesis_20131202.CreateStream', { StreamName: 'falco', ShardCount: 1 });
    await moto.createBucket('falco');
    await moto.enforceSignatures();
  });
  afterAll(async () => {
    await closeClients();
    await moto?.remove();
  });

  const targets: [string, OutputDefinition, () => Record<string, unknown>][] = [
    ['SQS', sqs as OutputDefinition, () => ({ url: `${moto.origin}/123456789012/falco` })],
    ['Kinesis', kinesis as OutputDefinition, () => ({ streamname: 'falco', endpoint: moto.origin })],
    ['S3', s3 as OutputDefinition, () => ({ bucket: 'falco', endpoint: moto.origin, prefix: 'a b/ü=(1)' })],
  ];

  describe.each(targets)('%s', (_name, definition, config) => {
    const open = (given: object) =>
      openOutput(
        definition,
        { region: REGION, checkidentity: false, batching: BATCHING, ...config(), ...given },
        httpHostOf(),
      );

    test('takes the right keys', async () => {
      const output = await open(keys);
      await trySend(output, falcoAlerts(1));
      await trySend(output, falcoAlerts(5));
    });

    test.each([
      ['the wrong secret', () => ({ ...keys, secretaccesskey: 'S3cret-and-wrong' })],
      ['keys that nobody has', () => ({ accesskeyid: 'AKIANOBODY0000000000', secretaccesskey: 'S3cret' })],
    ])('refuses %s, which may be mended', async (_what, given) => {
      const error = await failureOf(trySend(await open(given()), falcoAlerts(2)));
      expect(error).toBeInstanceOf(RetriableError);
      expect(error).toMatchObject({ reason: 'auth' });
      expect(error.message).not.toContain('S3cret');
    });
  });
});
