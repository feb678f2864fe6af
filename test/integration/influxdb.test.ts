import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import influxdb from '../../src/outputs/influxdb/index.ts';
import { closeClients } from '../support/http-client.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../support/services/drive.ts';
import { httpHostOf } from '../support/services/http.ts';
import { ADMIN, type Influxdb, missingInfluxdb, startInfluxdb } from '../support/services/influxdb.ts';
import { describeWith } from '../support/services/need.ts';

describeWith('influxdb', missingInfluxdb(), () => {
  let server: Influxdb;

  beforeAll(async () => {
    server = await startInfluxdb();
  });
  afterAll(async () => {
    await closeClients();
    await server?.stop();
  });

  const open = (config: object = {}) =>
    openOutput(influxdb, { hostport: server.url, ...config }, httpHostOf());
  const points = async (source: string) => (await server.points()).filter(point => point.source === source);

  test('an alert is a point with its texts, whatever stands in them', async () => {
    const output = '“quoted” \\ "x" \\" 日本語\n,a=b c';
    const rule = 'a, b=c "d" \\ é';
    await trySend(await open(), [falcoAlert({ source: 'hostile', rule, output, tags: ['x=y', 'z,'] })]);
    const [point, ...others] = await points('hostile');
    expect(others).toEqual([]);
    expect(point).toMatchObject({
      rule: rule.replaceAll(' ', '_'),
      priority: 'Warning',
      hostname: 'node-1',
      tags: 'x=y_z,',
      'container.id': '7f3c2a',
      value: output,
    });
  });

  test('a batch keeps every alert that has a time or tags of its own', async () => {
    const alerts = falcoAlerts(500, { source: 'batch' }).map((alert, index) =>
      falcoAlert({
        source: 'batch',
        output: alert.output,
        time: `2026-03-04T10:15:02.${String(index).padStart(9, '0')}Z`,
      }),
    );
    await trySend(await open(), alerts);
    const stored = await points('batch');
    expect(stored.map(({ value }) => value)).toEqual(alerts.map(({ output }) => output));
    expect(stored[7]!.time).toBe('2026-03-04T10:15:02.000000007Z');
  });

  test('what was stored of a batch that is refused for one of its alerts is the same point when it comes again', async () => {
    const command = async (q: string) => {
      const answer = await fetch(`${server.url}/query`, { method: 'POST', body: new URLSearchParams({ q }) });
      expect(await answer.text()).not.toContain('error');
    };
    await command(
      'CREATE RETENTION POLICY day ON falco DURATION 24h REPLICATION 1 SHARD DURATION 1h DEFAULT',
    );
    const hoursAgo = [2, 30, 1];
    const alerts = falcoAlerts(3).map(({ output }, at) => {
      const time = new Date(Date.now() - hoursAgo[at]! * 3_600_000).toISOString();
      return falcoAlert({ source: 'partial', output, time });
    });
    const output = await open();
    expect((await failureOf(trySend(output, alerts))).message).toContain('beyond retention policy');
    for (const alert of [alerts[0]!, alerts[2]!]) {
      await output.send([alert], { signal: AbortSignal.timeout(5_000), attempt: 2 });
    }
    const stored = await points('partial');
    await command('ALTER RETENTION POLICY autogen ON falco DEFAULT');
    expect(stored.map(({ value }) => value)).toEqual(['alert 0', 'alert 2']);
  });

  test('a database that is not there is told as such', async () => {
    const failure = await failureOf(trySend(await open({ database: 'nowhere' }), [falcoAlert()]));
    expect(failure).toMatchObject({ name: 'PermanentError', reason: 'client_error' });
    expect(failure.message).toContain('database not found');
  });

  describe('with users', () => {
    let guarded: Influxdb;

    beforeAll(async () => {
      guarded = await startInfluxdb(true);
    });
    afterAll(() => guarded?.stop());

    const send = async (config: object) =>
      trySend(await open({ hostport: guarded.url, ...config }), [falcoAlert()]);

    test('who is known gets in, others do not', async () => {
      await send(ADMIN);
      expect(await guarded.points()).toHaveLength(1);
      for (const stranger of [{}, { ...ADMIN, password: 'wrong-one' }]) {
        const failure = await failureOf(send(stranger));
        expect(failure).toMatchObject({ name: 'PermanentError', reason: 'auth' });
        expect(failure.message).not.toContain('wrong-one');
      }
    });
  });
});
