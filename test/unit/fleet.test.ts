import { afterEach, describe, expect, it } from 'vitest';
import { sealAlert } from '../../src/core/alert.ts';
import { Fleet } from '../../src/core/fleet.ts';
import { openMemorySpool } from '../../src/core/spool/open.ts';
import { FarEnd, instanceOf, recordingObserver } from '../support/delivery.ts';
import { draftOf } from '../support/drafts.ts';
import { recordingLogger } from '../support/logger.ts';
import { realClock, SPOOL } from '../support/spool.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

/** A fleet of one output, and what arrives there. */
async function fleetOf(
  definition: Partial<ReturnType<typeof instanceOf>['definition']>,
  minimum: '' | 'Error',
) {
  const log = recordingLogger();
  const spool = openMemorySpool(SPOOL, { clock: realClock, log });
  const observer = recordingObserver();
  let arrived = () => {};
  const farEnd = new FarEnd(() => setImmediate(() => arrived()));
  const fleet = new Fleet({
    spool,
    clock: realClock,
    log,
    observer,
    open: async () => farEnd,
    mask: text => text,
    graceMs: 1000,
  });
  cleanup.push(
    () => spool.close(),
    () => fleet.stop(1000),
  );
  const plain = instanceOf();
  await fleet.reconcile([
    { ...plain, minimumPriority: minimum, definition: { ...plain.definition, ...definition } },
  ]);
  return {
    spool,
    observer,
    async accepted(count: number): Promise<string[]> {
      await new Promise<void>(resolve => {
        arrived = () => farEnd.accepted.length >= count && resolve();
        arrived();
      });
      return farEnd.accepted;
    },
  };
}

const alert = (rule: string) => sealAlert(draftOf({ rule, priority: 'Debug' }));

describe('a fleet', () => {
  it('hands an output what its definition takes, and skips the rest', async () => {
    const takes = ({ rule }: { rule: string }) => rule.startsWith('a');
    const { spool, observer, accepted } = await fleetOf({ takes }, '');
    await spool.append(['b', 'a1', 'c', 'a2'].map(alert));
    expect(await accepted(2)).toEqual(['a1', 'a2']);
    expect(observer.of('skipped').reduce((sum, [, , count]) => sum + (count as number), 0)).toBe(2);
  });

  it('lets the test rule pass the minimum priority, unless the definition filters it', async () => {
    const open = await fleetOf({}, 'Error');
    await open.spool.append([alert('x'), alert('Test rule')]);
    expect(await open.accepted(1)).toEqual(['Test rule']);
    const strict = await fleetOf({ filtersTestRule: true }, 'Error');
    await strict.spool.append([alert('Test rule'), sealAlert(draftOf({ rule: 'y', priority: 'Error' }))]);
    expect(await strict.accepted(1)).toEqual(['y']);
  });
});
