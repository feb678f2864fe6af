/** Names of objects. */
import { expect, test } from 'vitest';
import {
  alertObjectName,
  batchId,
  batchObjectName,
  DEFAULT_LAYOUT,
  layoutProblem,
  uuidDigits,
} from '../../../../src/outputs/_kit/object-name.ts';
import { alertOfRule } from '../../../support/delivery.ts';

const NOW = Date.parse('2026-01-31T12:34:56.789Z');
const [one, two] = [alertOfRule('one'), alertOfRule('two')];
const nameOf = (layout: string, alerts = [one, two], prefix = 'falco') =>
  batchObjectName(prefix, layout, alerts, NOW);

test('of an alert have the time of sending, and no two are the same', () => {
  expect(alertObjectName('/a/b/', NOW, uuidDigits(one.uuid))).toMatch(
    /^a\/b\/2026-01-31\/2026-01-31T12:34:56\.789\d{15}Z\.json$/,
  );
  expect(alertObjectName('', NOW, '000000')).toBe('2026-01-31/2026-01-31T12:34:56.789000000Z.json');
  expect(uuidDigits(two.uuid)).not.toBe(uuidDigits(one.uuid));
});

test('of a batch lie in partitions as Hive reads them', () => {
  expect(nameOf(DEFAULT_LAYOUT)).toBe(`falco/dt=2026-01-31/hour=12/${batchId([one, two])}.ndjson.gz`);
  expect(nameOf('/year={year}/month={month}/day={day}/')).toMatch(
    /^falco\/year=2026\/month=01\/day=31\/[0-9a-f-]{36}\.ndjson\.gz$/,
  );
  expect(nameOf('', [one], '')).toBe(`${batchId([one])}.ndjson.gz`);
});

test('of a batch are the same for the same alerts, and for no others', () => {
  expect(batchId([one, two])).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(batchId([one, two])).toBe(batchId([one, two]));
  expect(new Set([batchId([one]), batchId([two]), batchId([one, two]), batchId([two, one])]).size).toBe(4);
});

test('a layout has no parts that are not known', () => {
  expect(layoutProblem(DEFAULT_LAYOUT)).toBeUndefined();
  expect(layoutProblem('alerts')).toBeUndefined();
  expect(layoutProblem('dt={date}/{minute}')).toContain('{minute} is none of {date}');
  expect(layoutProblem('a\nb')).toContain('control characters');
});
