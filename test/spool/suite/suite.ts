/** What every driver has to do, whatever it keeps its log in. */
import { afterEach, describe, expect, test } from 'vitest';
import { AlertTooLargeError, type Delivery, type Spool } from '../../../src/core/spool/contract.ts';
import { drain, numbered, numberedTo, numberOf, pullAll } from '../../support/spool.ts';
import { deadLetters } from './dead-letters.ts';
import { handingOut } from './handing-out.ts';
import { limits } from './limits.ts';
import { reading } from './reading.ts';
import { createRig, error, type Open, type Place, refused } from './rig.ts';
import { settling } from './settling.ts';

/** In a log of 100,000 bytes that drops the oldest. */
export async function expectTooLargeRefused(spool: Spool): Promise<void> {
  const consumer = spool.consumer('a');
  for (let number = 1; number <= 50; number++) await spool.append([numbered(number)]);
  const large = numbered(51, 'x'.repeat(100_000));
  await expect(spool.append([numbered(52), large])).rejects.toThrow(AlertTooLargeError);
  expect(consumer.stats()).toMatchObject({ depth: 50, dropped: 0 });
  await spool.append([numbered(53)]);
  expect((await drain(consumer)).map(numberOf)).toEqual([...Array.from({ length: 50 }, (_, i) => i + 1), 53]);
}

/** The tests of one driver. */
export function runSpoolSuite(name: string, open: Open, place: Place = {}): void {
  describe(name, () => {
    const rig = createRig(open, place);
    afterEach(() => rig.close());

    for (const part of [handingOut, settling, limits, reading, deadLetters]) part(rig);

    test('close is safe to call twice, and late settlements do nothing', async () => {
      const spool = await rig.make();
      const consumer = spool.consumer('a');
      await spool.append(numberedTo(3));
      const [first, second, third] = (await pullAll(consumer, 3)) as [Delivery, Delivery, Delivery];
      await Promise.all([spool.close(), spool.close()]);
      first.ack();
      second.retry(0, error);
      await third.bury(refused);
      expect(() => spool.consumer('b')).toThrow('closed');
    });
  });
}
