/** Files for Security Lake: their rows, their names, and what fails together. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readParquet } from '../../../scripts/gen/parquet.ts';
import type { Alert, OutputDefinition } from '../../../src/core/contract.ts';
import { PartialError, RetriableError } from '../../../src/core/errors.ts';
import securitylake from '../../../src/outputs/aws-securitylake/index.ts';
import { toFinding } from '../../../src/outputs/aws-securitylake/ocsf.ts';
import { toParquet } from '../../../src/outputs/aws-securitylake/parquet.ts';
import { configOf, openAgainst } from '../../support/contract.ts';
import { closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';
import { EXACT_TIME, falcoAlert, falcoAlerts } from '../../support/services/alerts.ts';

const definition = securitylake as OutputDefinition;
let sink: HttpSink;
beforeEach(async () => {
  sink = await HttpSink.listen(always(200));
});
afterEach(async () => {
  await closeClients();
  await sink.close();
});

async function sendAll(alerts: Alert[], config = {}) {
  const settings = configOf(definition, { ...securitylake.example, ...config });
  const { output, requests } = await openAgainst(definition, sink, { config: settings });
  const error = await failureOf(output.send(alerts, { signal: patience(), attempt: 1 }));
  return { error, paths: requests.map(({ url }) => decodeURIComponent(new URL(url).pathname)), requests };
}

test('a batch is a file with a row for each alert, in the partition of its day', async () => {
  const alerts = [...falcoAlerts(5), falcoAlert({ tags: [], hostname: undefined }, { a: [1], b: null })];
  const { paths, requests } = await sendAll(alerts, { prefix: '/ext/falco/' });
  expect(paths).toEqual([
    expect.stringMatching(
      /^\/ext\/falco\/region=eu-west-1\/accountId=123456789012\/eventDay=20260304\/[0-9a-f-]{36}\.parquet$/,
    ),
  ]);
  const file = readParquet(requests[0]!.body as Buffer);
  expect(file['finding.uid']).toEqual(alerts.map(({ uuid }) => uuid));
  expect(file.raw_data).toHaveLength(6);
  expect(file.time).toEqual(Array(6).fill(1772619302123n));
  expect(file.severity_id).toEqual(Array(6).fill(3));
  expect((file['observables.name'] as string[][]).map(names => names.length)).toEqual([4, 4, 4, 4, 4, 0]);
  expect(file['finding.types']!.at(-1)).toEqual(['syscall']);
});

test('more rows than a row group holds are all there', async () => {
  const alerts = falcoAlerts(2500);
  const file = readParquet(await toParquet(alerts.map(alert => toFinding(alert, false))));
  expect(file['finding.uid']).toEqual(alerts.map(({ uuid }) => uuid));
  expect(file['finding.desc']).toEqual(alerts.map(({ output }) => output));
});

test('the same alerts have the same file name, whenever they are sent', async () => {
  const alerts = falcoAlerts(3);
  const [first, second, other] = [
    await sendAll(alerts),
    await sendAll(alerts),
    await sendAll(falcoAlerts(3)),
  ];
  expect(second.paths).toEqual(first.paths);
  expect(other.paths).not.toEqual(first.paths);
});

test('alerts of several days are several files, and only those that failed fail', async () => {
  const days = ['2026-03-04T23:30:00-01:00', '2026-03-04T23:30:00Z', '2026-03-05T12:00:00Z'];
  const alerts = days.map(time => falcoAlert({ time }));
  sink.reply = (request, socket) => always(request.target.includes('20260304') ? 503 : 200)(request, socket);
  const { error, paths } = await sendAll(alerts);
  expect(paths.map(path => /eventDay=(\d+)/.exec(path)![1])).toEqual(['20260304', '20260305']);
  expect(error).toBeInstanceOf(PartialError);
  expect([...(error as unknown as PartialError).failed]).toEqual([[1, expect.any(RetriableError)]]);
});

test('numbers are doubles as in falcosidekick, or exact', () => {
  const alert = falcoAlert();
  const observed = (exact: boolean) =>
    toFinding(alert, exact).observables.find(({ name }) => name === 'evt.time')!.value;
  expect(observed(false)).toBe('1.7436069034343196e+18');
  expect(observed(true)).toBe(EXACT_TIME);
  expect(toFinding(alert, false).raw_data).toContain('"evt.time":1743606903434319600');
  expect(toFinding(alert, true).raw_data).toBe(alert.json);
});

test('severities are those of OCSF', () => {
  const severities = [
    'Debug',
    'Informational',
    'Notice',
    'Warning',
    'Error',
    'Critical',
    'Alert',
    'Emergency',
  ].map(priority => toFinding(falcoAlert({ priority }), false).severity_id);
  expect(severities).toEqual([1, 1, 2, 3, 4, 5, 6, 6]);
});

test('files wait for as many alerts and as long as the settings say', () => {
  const limitsOf = (config: object) =>
    securitylake.batchBy!(securitylake.keys.parse({ ...securitylake.example, ...config }));
  expect(limitsOf({})).toMatchObject({ items: 1000, waitMs: 300_000 });
  expect(limitsOf({ interval: 1, batchsize: 20 })).toMatchObject({ items: 20, waitMs: 300_000 });
  expect(limitsOf({ interval: 90 })).toMatchObject({ waitMs: 3_600_000 });
});
