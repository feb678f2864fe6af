import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Host, Output } from '../../src/core/contract.ts';
import { type PartialError, PermanentError, RetriableError } from '../../src/core/errors.ts';
import timescaledb from '../../src/outputs/timescaledb/index.ts';
import { toRow } from '../../src/outputs/timescaledb/row.ts';
import { openSession } from '../../src/outputs/timescaledb/session.ts';
import { toInsert } from '../../src/outputs/timescaledb/statement.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import {
  COLUMNS,
  missingPostgres,
  type PostgresServer,
  startPostgres,
} from '../support/services/postgres.ts';
import { freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(options?: Parameters<typeof startPostgres>[0]): Promise<PostgresServer> {
  const started = await startPostgres(options);
  cleanup.push(() => started.remove());
  return started;
}

async function output(config: Record<string, unknown>, host: Host = hostOf()): Promise<Output> {
  const opened = await openOutput(timescaledb, { host: '127.0.0.1', database: 'falco', ...config }, host);
  cleanup.push(() => opened.close!());
  return opened;
}

const withFields = (...names: string[]): Host => ({ ...hostOf(), customFields: () => names });

describeWith('timescaledb', missingPostgres(), () => {
  let plain: PostgresServer;
  let port: number;

  beforeAll(async () => {
    plain = await server();
    port = plain.port;
  });

  const table = (columns: string, name = 'falcosidekick_events') =>
    plain.sql(`DROP TABLE IF EXISTS ${name}; CREATE TABLE ${name} (${columns})`);
  const outputs = async () =>
    (await plain.sql<{ output: string }>('SELECT output FROM falcosidekick_events')).map(row => row.output);

  beforeEach(() => table(COLUMNS));

  test('a batch of alerts with and without tags and host is one statement', async () => {
    const statements = 'CREATE TABLE IF NOT EXISTS runs (n int)';
    const trigger = `CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO runs VALUES (1); RETURN NULL; END';
      CREATE TRIGGER noted AFTER INSERT ON falcosidekick_events FOR EACH STATEMENT EXECUTE FUNCTION note()`;
    await plain.sql(`${statements}; TRUNCATE runs; ${trigger}`);
    await plain.sql(`ALTER TABLE falcosidekick_events ALTER hostname SET DEFAULT 'unknown'`);
    await trySend(await output({ port }), [
      falcoAlert({ tags: ['a', 'b'], output: `it's "quoted"\n$1 ✓` }),
      falcoAlert({ hostname: '', tags: [], source: 'NULL' }),
    ]);
    expect(await plain.sql('SELECT *, time::text FROM falcosidekick_events ORDER BY tags')).toEqual([
      {
        time: expect.stringContaining('10:15:02.123456'),
        rule: 'Shell opened in container',
        priority: 'Warning',
        source: 'syscall',
        output: `it's "quoted"\n$1 ✓`,
        tags: 'a,b',
        hostname: 'node-1',
      },
      expect.objectContaining({ source: null, tags: null, hostname: 'unknown' }),
    ]);
    expect(await plain.sql('SELECT * FROM runs')).toHaveLength(1);
  });

  test('custom and templated fields have columns of their names, whatever the letters', async () => {
    await table(`${COLUMNS}, team text, "k8s.ns" text, "Exact" text, number int, "a""b; DROP TABLE x" text`);
    const fields = {
      Team: 'blue "x"',
      'k8s.ns': 'shop',
      Exact: 'nUlL',
      number: 7,
      'a"b; DROP TABLE x': 'safe',
      other: 1,
    };
    const host = withFields('Team', 'k8s.ns', 'Exact', 'number', 'a"b; DROP TABLE x', 'absent');
    await trySend(await output({ port }, host), [falcoAlert({}, fields)]);
    const [row] = await plain.sql('SELECT * FROM falcosidekick_events');
    expect(row).toMatchObject({
      team: 'blue x',
      'k8s.ns': 'shop',
      Exact: null,
      number: 7,
      'a"b; DROP TABLE x': 'safe',
    });
  });

  test('a column that is missing holds up only the alerts that need it, and is named', async () => {
    const sender = await output({ port }, withFields('team'));
    const failure = await failureOf(
      trySend(sender, [
        falcoAlert({}, { team: 'a' }),
        falcoAlert({}, { proc: 'b' }),
        falcoAlert({}, { team: 'c' }),
      ]),
    );
    const failed = [...(failure as PartialError).failed];
    expect(failed).toEqual([0, 2].map(index => [index, expect.objectContaining({ name: 'RetriableError' })]));
    expect(failed[0]![1].message).toContain('"team"');
    expect(await outputs()).toHaveLength(1);
  });

  test('rows that break a rule of the table are found among many; the others are stored once', async () => {
    await table(`${COLUMNS}, severity int, CHECK (rule <> 'banned')`);
    const alerts = falcoAlerts(200).map((_, index) => {
      const change = { output: `row ${index}`, rule: index === 17 ? 'banned' : 'fine' };
      return falcoAlert(change, { severity: index === 18 || index === 199 ? 'high' : index });
    });
    const failure = await failureOf(trySend(await output({ port }, withFields('severity')), alerts));
    const failed = (failure as PartialError).failed;
    expect([...failed.keys()].sort((a, b) => a - b)).toEqual([17, 18, 199]);
    for (const one of failed.values()) {
      expect(one).toMatchObject({ name: 'PermanentError', reason: 'payload' });
      expect(one.message).not.toContain('high');
    }
    const stored = await outputs();
    expect(stored).toHaveLength(197);
    expect(new Set(stored).size).toBe(197);
  });

  test('alerts wait for the partition that they belong to', async () => {
    await plain.sql(`DROP TABLE IF EXISTS ranges; CREATE TABLE ranges (${COLUMNS}) PARTITION BY RANGE (time);
      CREATE TABLE ranges_2025 PARTITION OF ranges FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`);
    const sender = await output({ port, hypertablename: 'ranges' });
    const alerts = [falcoAlert({ time: '2025-05-01T00:00:00Z' }), falcoAlert(), falcoAlert()];
    const { failed } = (await failureOf(trySend(sender, alerts))) as PartialError;
    expect([...failed.keys()]).toEqual([1, 2]);
    for (const one of failed.values()) expect(one).toMatchObject({ name: 'RetriableError' });
    await plain.sql(
      `CREATE TABLE ranges_2026 PARTITION OF ranges FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
    );
    await trySend(sender, alerts.slice(1));
    expect(await plain.sql('SELECT 1 FROM ranges')).toHaveLength(3);
  });

  test('a server that says nothing after the login costs the tries of ten seconds', async () => {
    const sockets: Socket[] = [];
    const hung = createServer(socket => {
      sockets.push(socket);
      const inner = connect(port, '127.0.0.1').on('error', () => undefined);
      sockets.push(inner);
      socket.on('error', () => undefined).pipe(inner);
      const isFirst = sockets.length === 2;
      inner.on('data', data => {
        socket.write(data);
        // ReadyForQuery: signed in.
        if (isFirst && data.includes(Buffer.from([0x5a, 0, 0, 0, 5, 0x49]))) socket.unpipe(inner);
      });
    });
    await new Promise<void>(resolve => hung.listen(0, '127.0.0.1', resolve));
    cleanup.push(
      () => hung.close(),
      () => sockets.forEach(socket => void socket.destroy()),
    );
    const sender = await output({ port: (hung.address() as AddressInfo).port, sslmode: 'disable' });
    expect(await failureOf(trySend(sender, [falcoAlert()], 20_000))).toMatchObject({
      name: 'RetriableError',
      reason: 'timeout',
    });
    await trySend(sender, [falcoAlert()]);
    expect(await outputs()).toHaveLength(1);
  }, 30_000);

  test('characters that PostgreSQL does not know do not cost the alert', async () => {
    await table(`${COLUMNS}, output_fields jsonb`);
    await trySend(await output({ port }), [
      falcoAlert({ output: 'a\u0000b' }, { x: 'c\u0000d', y: '\ud800', z: '\\u0000' }),
    ]);
    expect(await plain.sql('SELECT output, output_fields FROM falcosidekick_events')).toEqual([
      { output: 'ab', output_fields: { x: 'cd', y: '\ufffd', z: '\\u0000' } },
    ]);
  });

  test('columns uuid and output_fields are filled where the table has them; a unique uuid takes repeats away', async () => {
    await table(`${COLUMNS}, uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(), output_fields jsonb`);
    const sender = await output({ port });
    const alerts = falcoAlerts(3);
    await trySend(sender, alerts);
    await trySend(sender, [...alerts, falcoAlert()]);
    const rows = await plain.sql<{ uuid: string; fields: string }>(
      'SELECT uuid, output_fields::text AS fields FROM falcosidekick_events',
    );
    expect(rows).toHaveLength(4);
    expect(rows.map(({ uuid }) => uuid)).toEqual(expect.arrayContaining(alerts.map(({ uuid }) => uuid)));
    expect(rows[0]!.fields).toContain(EXACT_TIME);
  });

  test('columns of those names but of another kind are left alone', async () => {
    await table(`${COLUMNS}, uuid serial, output_fields int`);
    await trySend(await output({ port }), falcoAlerts(2));
    expect(await plain.sql('SELECT uuid, output_fields FROM falcosidekick_events ORDER BY 1')).toEqual([
      { uuid: 1, output_fields: null },
      { uuid: 2, output_fields: null },
    ]);
  });

  test('the name of the table is read as in SQL', async () => {
    await plain.sql('DROP SCHEMA IF EXISTS sec CASCADE; CREATE SCHEMA sec');
    await plain.sql(`CREATE TABLE sec.events (${COLUMNS}); CREATE TABLE "My Table" (${COLUMNS})`);
    for (const hypertablename of ['Sec.Events', '"My Table"']) {
      const sender = await output({ port, hypertablename });
      await sender.probe!(AbortSignal.timeout(5000));
      await trySend(sender, [falcoAlert()]);
    }
    expect(await plain.sql('SELECT 1 FROM sec.events UNION ALL SELECT 1 FROM "My Table"')).toHaveLength(2);
    const hostile = await output({
      port,
      hypertablename: 'x (time) VALUES (now()); DROP TABLE falcosidekick_events --',
    });
    expect(await failureOf(trySend(hostile, [falcoAlert()]))).toMatchObject({ reason: 'client_error' });
    expect(await outputs()).toEqual([]);
  });

  test('a table that is made later, and one that changes, gets every alert', async () => {
    await plain.sql('DROP TABLE falcosidekick_events');
    const sender = await output({ port });
    expect(await failureOf(trySend(sender, [falcoAlert()]))).toMatchObject({
      name: 'RetriableError',
      reason: 'client_error',
      message: 'the table does not exist',
    });
    await table(COLUMNS);
    await trySend(sender, [falcoAlert()]);
    await table(`${COLUMNS}, team text`);
    await trySend(sender, [falcoAlert()]);
    expect(await outputs()).toHaveLength(1);
  });

  test('columns that the table loses or gets while connected cost no alert', async () => {
    await table(`${COLUMNS}, uuid uuid UNIQUE, output_fields jsonb`);
    const sender = await output({ port });
    await trySend(sender, [falcoAlert()]);
    await plain.sql('ALTER TABLE falcosidekick_events DROP COLUMN output_fields');
    expect(await deliver(sender, falcoAlerts(3), 2)).toEqual([]);
    await table(COLUMNS);
    expect(await deliver(sender, falcoAlerts(3), 2)).toEqual([]);
    expect(await outputs()).toHaveLength(3);
    await table(`${COLUMNS}, uuid text NOT NULL`);
    const alerts = falcoAlerts(3);
    expect(await deliver(sender, alerts, 2)).toEqual([]);
    const stored = await plain.sql<{ uuid: string }>('SELECT uuid FROM falcosidekick_events ORDER BY output');
    expect(stored.map(({ uuid }) => uuid)).toEqual(alerts.map(({ uuid }) => uuid));
    await table(`${COLUMNS}, site text NOT NULL`);
    expect(await deliver(sender, alerts, 3)).toEqual(alerts);
  });

  test('a locked table costs tries, not alerts', async () => {
    const sender = await output({ port });
    await trySend(sender, [falcoAlert()]);
    const locked = plain.sql('BEGIN; LOCK falcosidekick_events; SELECT pg_sleep(1); COMMIT');
    await expect
      .poll(() =>
        plain.sql(
          `SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'falcosidekick_events'::regclass`,
        ),
      )
      .toHaveLength(1);
    const failure = await failureOf(trySend(sender, [falcoAlert()], 200));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
    await locked;
    await trySend(sender, [falcoAlert()]);
  });

  test('what is stored before a try ends is not stored again by the next', async () => {
    await table(`${COLUMNS}, CHECK (rule <> 'banned')`);
    await plain.sql(`
      CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
      CREATE TRIGGER dawdle BEFORE INSERT ON falcosidekick_events
        FOR EACH ROW WHEN (NEW.rule = 'slow') EXECUTE FUNCTION dawdle()`);
    const sender = await output({ port });
    const rules = ['ok', 'ok', 'ok', 'ok', 'ok', 'banned', 'ok', 'slow'];
    const alerts = falcoAlerts(8).map((alert, at) => falcoAlert({ output: alert.output, rule: rules[at] }));
    const { failed } = (await failureOf(trySend(sender, alerts, 1000))) as PartialError;
    expect([...failed].map(([at, { name, reason }]) => [at, name, reason])).toEqual([
      [5, 'PermanentError', 'payload'],
      [6, 'RetriableError', 'timeout'],
      [7, 'RetriableError', 'timeout'],
    ]);
    await trySend(sender, [alerts[6]!]);
    expect(await outputs()).toEqual([0, 1, 2, 3, 4, 6].map(at => `alert ${at}`));
  });

  test('what a session is told ends with its transaction: behind PgBouncer the next may be of another client', async () => {
    await table(`${COLUMNS}, CHECK (rule <> 'banned')`);
    await plain.sql(
      `ALTER TABLE falcosidekick_events ADD waits text DEFAULT current_setting('statement_timeout')`,
    );
    let client!: pg.Client;
    class Seen extends pg.Client {
      constructor(options: pg.ClientConfig) {
        super(options);
        client = this;
      }
    }
    const session = await openSession(
      {
        ...{ Client: Seen, host: '127.0.0.1', port, user: 'postgres', password: 'postgres' },
        ...{ database: 'falco', table: ['falcosidekick_events'], ways: [undefined] },
      },
      AbortSignal.timeout(5000),
    );
    const run = (rule: string) =>
      session.run(
        toInsert(['falcosidekick_events'], [toRow(falcoAlert({ rule }), [], session.columns)], false),
      );
    const state = async () =>
      (
        await client.query(
          `SELECT current_setting('statement_timeout') AS waits, now() = statement_timestamp() AS free`,
        )
      ).rows;
    const untouched = [{ waits: '0', free: true }];
    expect(await state()).toEqual(untouched);
    await run('fits');
    expect(await state()).toEqual(untouched);
    await expect(run('banned')).rejects.toMatchObject({ code: '23514' });
    expect(await state()).toEqual(untouched);
    await session.close();
    expect(await plain.sql('SELECT rule, waits FROM falcosidekick_events')).toEqual([
      { rule: 'fits', waits: '8s' },
    ]);
  });

  test('sessions that the server ends are opened anew', async () => {
    const sender = await output({ port });
    await trySend(sender, [falcoAlert()]);
    await plain.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tiercel'`,
    );
    expect(await deliver(sender, falcoAlerts(3), 1)).toEqual([]);
    expect(
      await plain.sql(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'tiercel' AND pid <> 0`),
    ).not.toEqual([]);
    expect(await outputs()).toHaveLength(4);
  });

  test('what cannot be right is told without secrets', async () => {
    await plain.sql('DROP ROLE IF EXISTS reader');
    await plain.sql(`CREATE ROLE reader LOGIN PASSWORD 'reader-pw'`);
    const cases: [Record<string, unknown>, string][] = [
      [{ password: 'wr0ng-password' }, 'auth'],
      [{ user: 'nobody-here', password: 'wr0ng-password' }, 'auth'],
      [{ user: 'reader', password: 'reader-pw' }, 'auth'],
      [{ database: 'absent' }, 'client_error'],
      [{ port: await freePort() }, 'network'],
      [{ sslmode: 'require' }, 'network'],
    ];
    for (const [config, reason] of cases) {
      const sender = await output({ port, ...config });
      for (const failure of [
        await failureOf(trySend(sender, [falcoAlert()])),
        await failureOf(sender.probe!(AbortSignal.timeout(5000))),
      ]) {
        expect(failure).toMatchObject({ name: 'RetriableError', reason });
        expect(failure.message).not.toMatch(/wr0ng|reader|nobody|127\.0\.0\.1/);
      }
    }
  });

  test('a server that says nothing costs one try', async () => {
    const silent = createServer(socket => cleanup.push(() => socket.destroy()));
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => silent.close());
    const sender = await output({ port: (silent.address() as AddressInfo).port });
    const failure = await failureOf(trySend(sender, [falcoAlert()], 300));
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
    await sender.close!();
    await sender.close!();
  });

  describe('over TLS', () => {
    let authority: Authority;
    let stranger: Authority;
    let secured: PostgresServer;

    beforeAll(async () => {
      const folder = await scratch('certificates');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'right');
      stranger = await createAuthority(folder.path, 'wrong');
      secured = await server({
        authority,
        rules: [
          'hostssl falco mutual 127.0.0.1/32 scram-sha-256 clientcert=verify-ca',
          'hostssl all postgres 127.0.0.1/32 scram-sha-256',
          'hostnossl all plain 127.0.0.1/32 scram-sha-256',
        ],
      });
      await secured.sql(`CREATE TABLE falcosidekick_events (${COLUMNS});
        CREATE ROLE mutual LOGIN SUPERUSER PASSWORD 'postgres'; CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'postgres'`);
    });

    const send = async (config: Record<string, unknown>, tls: Parameters<typeof hostOf>[0] = {}) =>
      trySend(await output({ port: secured.port, ...config }, hostOf(tls)), [falcoAlert()]);

    test('each mode asks for what libpq asks for', async () => {
      const ca = [authority.ca];
      await send({});
      await send({ user: 'plain' });
      await send({ user: 'plain', sslmode: 'disable' });
      await send({ sslmode: 'require' }, { ca: [stranger.ca] });
      await send({ sslmode: 'verify-ca' }, { ca, serverName: 'other' });
      for (const host of ['localhost', '127.0.0.1']) {
        await send({ host, sslmode: 'verify-full' }, { ca });
        await send({ host }, { ca });
      }
      await send({ sslmode: 'verify-full' }, { verify: false });
      const refused: [Record<string, unknown>, Parameters<typeof hostOf>[0]][] = [
        [{ sslmode: 'disable' }, {}],
        [{ sslmode: 'verify-ca' }, { ca: [stranger.ca] }],
        [{ sslmode: 'verify-full' }, { ca, serverName: 'other' }],
        [{}, { ca: [stranger.ca] }],
        [{ user: 'plain', sslmode: 'require' }, {}],
      ];
      for (const [config, tls] of refused) {
        expect(await failureOf(send(config, tls))).toBeInstanceOf(RetriableError);
      }
    });

    test('a client certificate is shown where one is wanted', async () => {
      const { cert, key } = authority.client;
      await send({ user: 'mutual' }, { ca: [authority.ca], cert, key });
      expect(await failureOf(send({ user: 'mutual' }, { ca: [authority.ca] }))).toBeInstanceOf(
        RetriableError,
      );
    });
  });

  test('an alert that never fits, alone in a send, is refused for good', async () => {
    await table(`${COLUMNS}, CHECK (rule <> 'banned')`);
    const failure = await failureOf(trySend(await output({ port }), [falcoAlert({ rule: 'banned' })]));
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure.message).toContain('falcosidekick_events_rule_check');
  });

  test('ten seconds without the server in the middle of 5,000 alerts lose none', async () => {
    const broker = await server();
    await broker.sql(`CREATE TABLE falcosidekick_events (${COLUMNS}, uuid uuid UNIQUE)`);
    const { duplicates } = await survivesOutage({
      config: { timescaledb: { host: '127.0.0.1', port: broker.port, database: 'falco' } },
      stop: () => broker.stop(),
      start: () => broker.start(),
      received: async () =>
        (await broker.sql<{ output: string }>('SELECT output FROM falcosidekick_events')).map(
          row => row.output,
        ),
    });
    expect(duplicates).toBe(0);
  }, 120_000);
});
