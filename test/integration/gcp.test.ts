import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import pubsub from '../../src/outputs/gcp-pubsub/index.ts';
import storage from '../../src/outputs/gcp-storage/index.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { closeClients } from '../support/http-client.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { type FakeGcs, missingFakeGcs, startFakeGcs } from '../support/services/fake-gcs.ts';
import { httpHostOf } from '../support/services/http.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort } from '../support/services/process.ts';
import { missingPubsub, type Pubsub, startPubsub } from '../support/services/pubsub.ts';

describeWith('gcp.storage', missingFakeGcs(), () => {
  let gcs: FakeGcs;
  beforeAll(async () => {
    gcs = await startFakeGcs();
  });
  afterAll(async () => {
    await closeClients();
    await gcs?.remove();
  });
  const open = (config: Record<string, unknown>) =>
    openOutput(storage, { endpoint: gcs.origin, prefix: 'pp', ...config }, httpHostOf());

  test('an alert is an object of its own', async () => {
    await gcs.createBucket('single');
    const output = await open({ bucket: 'single' });
    await output.probe!(AbortSignal.timeout(5000));
    const alerts = falcoAlerts(3, { rule: '日本語 🚀' });
    for (const alert of alerts) await trySend(output, [alert]);
    const objects = await gcs.objects('single');
    expect(objects.map(({ bytes }) => bytes.toString()).sort()).toEqual(
      alerts.map(({ json }) => json).sort(),
    );
    for (const { name, contentType } of objects) {
      expect(name).toMatch(/^pp\/\d{4}-\d\d-\d\d\/[\dT:.-]+Z\.json$/);
      expect(contentType).toBe('text/plain; charset=utf-8');
    }
  });

  test('a batch is one object, however often it is sent', async () => {
    await gcs.createBucket('batched');
    const output = await open({ bucket: 'batched', batching: { enabled: true } });
    const alerts = falcoAlerts(500);
    for (let times = 0; times < 3; times++) await trySend(output, alerts);
    const [object, ...others] = await gcs.objects('batched');
    expect(others).toEqual([]);
    expect(object!.name).toMatch(/^pp\/dt=\d{4}-\d\d-\d\d\/hour=\d\d\/[0-9a-f-]{36}\.ndjson\.gz$/);
    expect(object!.contentEncoding ?? '').toBe('');
    expect(gunzipSync(object!.bytes).toString()).toBe(alerts.map(({ json }) => `${json}\n`).join(''));
  });

  test('a bucket that is not there, and a server that was away at the start', async () => {
    const missing = await open({ bucket: 'missing' });
    expect(await failureOf(trySend(missing, falcoAlerts(1)))).toMatchObject({ name: 'PermanentError' });
    await gcs.createBucket('later');
    await gcs.stop();
    const output = await open({ bucket: 'later' });
    const wanted = { name: 'RetriableError', reason: 'network' };
    expect(await failureOf(trySend(output, falcoAlerts(1)))).toMatchObject(wanted);
    await gcs.start();
    await trySend(output, falcoAlerts(1));
    expect(await gcs.objects('later')).toHaveLength(1);
  });
});

describeWith('gcp.pubsub', missingPubsub(), () => {
  let server: Pubsub;
  beforeAll(async () => {
    server = await startPubsub(['projects/p/topics/falco', 'projects/p/topics/outage']);
  });
  beforeEach(() => void vi.stubEnv('PUBSUB_EMULATOR_HOST', server.address));
  afterEach(() => void vi.unstubAllEnvs());
  afterAll(() => server?.remove());

  const open = (config: Record<string, unknown> = {}) =>
    openOutput(pubsub, { projectid: 'p', topic: 'falco', ...config }, hostOf());
  const messagesOf = async (topic: string) =>
    (await server.messages()).filter(message => message.topic === `projects/p/topics/${topic}`);

  test('every alert is a message with the attributes', async () => {
    const output = await open({ customattributes: { team: 'soc' } });
    await output.probe!(AbortSignal.timeout(5000));
    const alerts = [...falcoAlerts(2500), falcoAlert({ rule: '日本語 🚀' })];
    expect(await deliver(output, alerts, 1000)).toEqual([]);
    const messages = await messagesOf('falco');
    expect(messages.map(({ data }) => data).sort()).toEqual(alerts.map(({ json }) => json).sort());
    expect(new Set(messages.map(({ attributes }) => JSON.stringify(attributes)))).toEqual(
      new Set(['{"team":"soc"}']),
    );
    await output.close!();
  });

  test('a topic that is not there is told as such', async () => {
    const output = await open({ topic: 'missing' });
    const error = await failureOf(trySend(output, falcoAlerts(1)));
    expect(error).toMatchObject({ name: 'PermanentError', message: expect.stringContaining('NOT_FOUND') });
    await expect(output.probe!(AbortSignal.timeout(5000))).rejects.toThrow('NOT_FOUND');
    await output.close!();
  });

  test('a server that is away is worth another try', async () => {
    vi.stubEnv('PUBSUB_EMULATOR_HOST', `127.0.0.1:${await freePort()}`);
    const output = await open();
    const wanted = { name: 'RetriableError', reason: 'network' };
    expect(await failureOf(trySend(output, falcoAlerts(1)))).toMatchObject(wanted);
    await output.close!();
    await output.close!();
  });

  test('an outage loses nothing', async () => {
    await survivesOutage({
      config: { gcp: { pubsub: { projectid: 'p', topic: 'outage' } } },
      env: { PUBSUB_EMULATOR_HOST: server.address },
      stop: server.stop,
      start: server.start,
      received: async () => (await messagesOf('outage')).map(({ data }) => data),
    });
  }, 120_000);
});
