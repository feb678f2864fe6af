import { expect, test } from 'vitest';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { numbered, realClock, SPOOL } from '../support/spool.ts';
import { expectTooLargeRefused, runSpoolSuite } from './suite/suite.ts';

runSpoolSuite('memory', (overrides, clock) =>
  openSpool(
    { ...SPOOL, ...overrides, driver: 'memory' },
    { clock: { ...realClock, ...clock }, log: recordingLogger() },
  ),
);

test('memory stays within its bytes however many alerts nobody reads', async () => {
  const log = recordingLogger();
  const spool = await openSpool({ ...SPOOL, memoryBytes: 100_000 }, { clock: realClock, log });
  const consumer = spool.consumer('stuck');
  for (let number = 1; number <= 1000; number++) await spool.append([numbered(number)]);
  expect(spool.stats().memoryBytes).toBeLessThanOrEqual(100_000);
  expect(spool.stats().entries + consumer.stats().dropped).toBe(1000);
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  await spool.close();
});

test('an alert larger than the whole log is refused, and pushes no others out', async () => {
  const spool = await openSpool(
    { ...SPOOL, maxBytes: 100_000 },
    { clock: realClock, log: recordingLogger() },
  );
  await expectTooLargeRefused(spool);
  await spool.close();
});
