import { expect, test } from 'vitest';
import { nanosOf } from '../../../../src/core/spool/jetstream/lost-end.ts';

test.each([
  ['2026-11-23T22:20:20.215123456Z', '1795472420215123456'],
  ['2026-11-23T22:20:20.2Z', '1795472420200000000'],
  ['2026-11-23T22:20:20Z', '1795472420000000000'],
  ['2026-11-23T23:20:20.000000001+01:00', '1795472420000000001'],
])('a time as the server writes it and as it is in a reply subject: %s', (timestamp, nanos) => {
  expect(nanosOf(timestamp)).toBe(Number.parseInt(nanos, 10));
});
