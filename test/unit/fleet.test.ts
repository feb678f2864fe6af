import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { sealAlert } from '../../src/core/alert/alert.ts';
import { Fleet, type FleetOptions } from '../../src/core/fleet.ts';
import { openMemorySpool } from '../../src/core/spool/open.ts';
import { FarEnd, instanceOf, recordingObserver } from '../support/delivery.ts';
import { draftOf } from '../support/drafts.ts';
import { recordingLogger } from '../support/logger.ts';
import { realClock, SPOOL } from '../support/spool.ts';

const HOUR_MS = 3_600_000;

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

function emptyFleet(open: FleetOptions['open'], { clock = realClock, patienceMs = HOUR_MS } = {}) {
  const log = recordingLogger();
  const spool = openMemorySpool(SPOOL, { clock, log });
  const observer = recordingObserver();
  const fleet = new Fleet({
    spool,
    clock,
    log,
    observe: () => observer,
    open,
    mask: text => text,
    patienceMs,
  });
  cleanup.push(
    () => spool.close(),
    () => fleet.stop(0),
  );
  return { fleet, spool, observer, log };
}

/** A fleet of one output, and what arrives there. */
async function fleetOf(
  definition: Partial<ReturnType<typeof instanceOf>['definition']>,
  minimum: '' | 'Error',
) {
  let arrived = () => {};
  const farEnd = new FarEnd(() => setImmediate(() => arrived()));
  const { fleet, spool, observer } = emptyFleet(async () => farEnd);
  const plain = instanceOf();
  await fleet.reconcile(
    [{ ...plain, minimumPriority: minimum, definition: { ...plain.definition, ...definition } }],
    1000,
  );
  return {
    fleet,
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
    expect(observer.of('skipped').reduce((sum, [, count]) => sum + (count as number), 0)).toBe(2);
  });

  it('times a test by a clock that nobody sets', async () => {
    let [now, monotonic] = [HOUR_MS, 0];
    const open = async () =>
      new FarEnd(() => {
        now = 0;
        monotonic = 7.4;
      });
    const { fleet } = emptyFleet(open, {
      clock: { ...realClock, now: () => now, monotonic: () => monotonic },
    });
    await fleet.reconcile([instanceOf()], 0);
    await expect.poll(() => fleet.status()[0]!.state).toBe('running');
    const outcome = await fleet.test(alert('Test rule'), undefined, new AbortController().signal);
    expect(outcome).toEqual([{ output: 'fake.one', ok: true, durationMs: 7 }]);
  });

  it('has nobody to send a test to under a name that it does not know', async () => {
    const { fleet } = await fleetOf({}, '');
    const send = (id?: string) => fleet.test(alert('Test rule'), id, new AbortController().signal);
    await expect(send('nobody')).rejects.toThrow(new RangeError('there is no output called nobody'));
    expect(await send()).toMatchObject([{ output: 'fake.one' }]);
  });

  it('lets the test rule pass the minimum priority, unless the definition filters it', async () => {
    const open = await fleetOf({}, 'Error');
    await open.spool.append([alert('x'), alert('Test rule')]);
    expect(await open.accepted(1)).toEqual(['Test rule']);
    const strict = await fleetOf({ filtersTestRule: true }, 'Error');
    await strict.spool.append([alert('Test rule'), sealAlert(draftOf({ rule: 'y', priority: 'Error' }))]);
    expect(await strict.accepted(1)).toEqual(['y']);
  });

  it('serves what a reload changes or adds while an output that hangs is still being stopped', async () => {
    const sent = new EventEmitter();
    const { promise: answer, resolve: release } = Promise.withResolvers<void>();
    const { fleet, spool } = emptyFleet(
      async ({ id, fingerprint }) =>
        new FarEnd(() => {
          sent.emit(`${id} ${fingerprint}`);
          return id === 'hangs' && fingerprint === 'old' ? answer : undefined;
        }),
    );
    const instance = (id: string, fingerprint: string) => ({ ...instanceOf(), id, fingerprint });
    await fleet.reconcile([instance('hangs', 'old'), instance('changes', 'old')], HOUR_MS);
    const hung = once(sent, 'hangs old');
    await spool.append([alert('x')]);
    await hung;

    const reload = fleet.reconcile(
      ['hangs', 'changes', 'comes'].map(id => instance(id, 'new')),
      HOUR_MS,
    );
    const served = Promise.all([once(sent, 'changes new'), once(sent, 'comes new')]);
    await spool.append([alert('y')]);
    await served;

    const back = once(sent, 'hangs new');
    release();
    expect(await reload).toEqual({
      started: ['comes', 'changes', 'hangs'],
      stopped: ['hangs', 'changes'],
      waiting: [],
    });
    await back;
  });

  it('waits for a hanging output no longer than its patience, then starts what the newest change wants', async () => {
    const { promise: answer, resolve: release } = Promise.withResolvers<void>();
    const sent = new EventEmitter();
    const opened: string[] = [];
    const { fleet, spool, log } = emptyFleet(
      async ({ id, fingerprint }) => {
        opened.push(`${id} ${fingerprint}`);
        return new FarEnd(() => {
          sent.emit(`${id} ${fingerprint}`);
          return fingerprint === 'old' ? answer : undefined;
        });
      },
      { patienceMs: 20 },
    );
    const instances = (fingerprint: string, ...ids: string[]) =>
      ids.map(id => ({ ...instanceOf(), id, fingerprint }));
    await fleet.reconcile(instances('old', 'changes', 'goes', 'returns'), HOUR_MS);
    const hung = ['changes', 'goes', 'returns'].map(id => once(sent, `${id} old`));
    await spool.append([alert('x')]);
    await Promise.all(hung);

    const first = await fleet.reconcile(instances('second', 'changes', 'goes'), HOUR_MS);
    expect(first).toEqual({
      started: [],
      stopped: ['changes', 'goes', 'returns'],
      waiting: ['changes', 'goes', 'returns'],
    });
    expect(fleet.status().map(({ state }) => state)).toEqual(['stopping', 'stopping', 'stopping']);
    const third = await fleet.reconcile(
      [...instances('third', 'changes'), ...instances('old', 'returns')],
      HOUR_MS,
    );
    expect(third).toEqual({ started: [], stopped: [], waiting: ['changes', 'goes', 'returns'] });
    await spool.append([alert('y')]);
    const messages = (output: string) =>
      log.lines.filter(({ fields }) => fields.output === output).map(({ message }) => message);
    expect(messages('goes')).toEqual([]);

    const served = ['changes third', 'returns old'].map(name => once(sent, name));
    release();
    await Promise.all(served);
    expect(opened.slice(3).sort()).toEqual(['changes third', 'returns old']);
    expect(fleet.status().map(({ id }) => id)).toEqual(['changes', 'returns']);
    const told = log.lines.filter(({ message }) => message === 'output has stopped at last');
    expect(told.map(({ fields }) => `${fields.output} ${fields.isReplaced}`)).toEqual([
      'changes true',
      'goes false',
      'returns true',
    ]);
    expect(messages('goes')).toEqual([
      'the place of a removed output in the log is kept for a while',
      'output has stopped at last',
    ]);
  });

  it('starts nothing more for a reload under way once it is stopped', async () => {
    const opened: string[] = [];
    const sent = new EventEmitter();
    const { fleet, spool } = emptyFleet(async ({ fingerprint }) => {
      opened.push(fingerprint);
      return new FarEnd(() => {
        sent.emit('x');
        return new Promise(() => {});
      });
    });
    await fleet.reconcile([{ ...instanceOf(), fingerprint: 'old' }], 10);
    const hung = once(sent, 'x');
    await spool.append([alert('x')]);
    await hung;
    const reload = fleet.reconcile([{ ...instanceOf(), fingerprint: 'new' }], 10);
    await fleet.stop(10);
    expect(await reload).toEqual({ started: [], stopped: ['fake.one'], waiting: [] });
    expect(opened).toEqual(['old']);
  });

  it('goes on with a replay when a reload changes its output: what was not settled is sent, nothing else', async () => {
    const sent = new EventEmitter();
    const accepted: Record<string, string[]> = { old: [], new: [] };
    const { promise: never } = Promise.withResolvers<void>();
    const { fleet, spool } = emptyFleet(
      async ({ fingerprint }) =>
        new FarEnd(({ rules }) => {
          const here = accepted[fingerprint]!;
          // The alerts themselves, and the first half of the replay.
          if (fingerprint === 'old' && here.length === 30) {
            sent.emit('hangs');
            return never;
          }
          here.push(...rules);
          sent.emit(`${fingerprint} ${here.length}`);
        }),
    );
    await fleet.reconcile([{ ...instanceOf(), fingerprint: 'old' }], 0);
    const rules = Array.from({ length: 20 }, (_, index) => `r${index}`);
    const first = once(sent, 'old 20');
    await spool.append(rules.map(alert));
    await first;
    const hung = once(sent, 'hangs');
    fleet.replayLog('fake.one', {});
    await hung;
    const rest = once(sent, 'new 10');
    const reloaded = fleet.reconcile([{ ...instanceOf(), fingerprint: 'new' }], 20);
    // Also while the old one is being stopped: who waits for the end must not take that for it.
    expect(fleet.status()[0]!.replay).toMatchObject({ done: 10 });
    await new Promise(setImmediate);
    expect(fleet.status()[0]!.replay).toMatchObject({ done: 10 });
    await reloaded;
    expect(fleet.status()[0]!.replay!.done).toBeGreaterThanOrEqual(10);
    await rest;
    await expect.poll(() => fleet.status()[0]!.replay).toBeUndefined();
    expect(fleet.status()[0]!.replayError).toBeUndefined();
    expect([...accepted.old!.slice(20), ...accepted.new!].sort()).toEqual(rules.sort());
  });

  it('tells that a replay ended when a reload takes its output away', async () => {
    let hang = false;
    const sent = new EventEmitter();
    const { fleet, spool, log } = emptyFleet(
      async () =>
        new FarEnd(() => {
          sent.emit('x');
          return hang ? new Promise(() => {}) : undefined;
        }),
    );
    await fleet.reconcile([instanceOf()], 0);
    const arrived = once(sent, 'x');
    await spool.append([alert('x')]);
    await arrived;
    hang = true;
    const hung = once(sent, 'x');
    fleet.replayLog('fake.one', {});
    await hung;
    await fleet.reconcile([], 20);
    expect(log.lines.filter(({ message }) => message === 'replay ended early')).toEqual([
      {
        level: 'warn',
        fields: { output: 'fake.one', error: 'the output was stopped', total: 1, done: 0, failed: 0 },
        message: 'replay ended early',
      },
    ]);
  });

  it('tells why a replay ended before all was sent, until the next one', async () => {
    const farEnd = new FarEnd();
    const { fleet, spool } = emptyFleet(async () => farEnd);
    await fleet.reconcile([instanceOf()], 0);
    await spool.append([alert('one'), alert('two')]);
    await expect.poll(() => farEnd.accepted.length).toBe(2);
    const { read } = spool;
    spool.read = async function* (range) {
      for await (const entry of read.call(spool, range)) {
        yield entry;
        throw new Error('the log cannot be read');
      }
    };
    fleet.replayLog('fake.one', {});
    await expect.poll(() => fleet.status()[0]!.replayError).toBe('the log cannot be read');
    expect(fleet.status()[0]!.replay).toBeUndefined();
    spool.read = read;
    fleet.replayLog('fake.one', {});
    expect(fleet.status()[0]!.replayError).toBeUndefined();
    await expect.poll(() => farEnd.accepted.slice(-2)).toEqual(['one', 'two']);
  });

  it('replays up to the end of the log, also what has times to come: the clock was ahead', async () => {
    let now = realClock.now();
    const farEnd = new FarEnd();
    const { fleet, spool } = emptyFleet(async () => farEnd, { clock: { ...realClock, now: () => now } });
    await fleet.reconcile([instanceOf()], 1000);
    now += HOUR_MS / 2;
    await spool.append([alert('ahead')]);
    now -= HOUR_MS / 2;
    await spool.append([alert('corrected')]);
    await expect.poll(() => farEnd.accepted.length).toBe(2);
    fleet.replayLog('fake.one', { since: now - HOUR_MS });
    await expect.poll(() => farEnd.accepted.slice(2)).toEqual(['ahead', 'corrected']);
  });
});
