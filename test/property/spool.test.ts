/** Any sequence of operations on either driver, restarts among them, does what a few lines of model say. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetriableError } from '../../src/core/errors.ts';
import type { Consumer, Delivery, Spool } from '../../src/core/spool/contract.ts';
import { openMemorySpool } from '../../src/core/spool/open.ts';
import { LetterBox } from '../support/delivery.ts';
import { recordingLogger } from '../support/logger.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { logged, numberedTo, numberOf, openOn, realClock, SPOOL } from '../support/spool.ts';

const error = new RetriableError('not now', { reason: 'server_error' });

/** What a consumer should do: its alerts in order, each unread, in hands, or waiting. */
interface ModelConsumer {
  unread: number[];
  inHands: number[];
  waiting: number[];
}

interface Model {
  appended: number;
  consumers: Map<string, ModelConsumer>;
}

interface Real {
  spool: Spool;
  consumers: Map<string, Consumer>;
  deliveries: Map<string, Delivery[]>;
  restart(): Promise<Spool>;
}

type Step = fc.AsyncCommand<Model, Real>;

const NAMES = ['a', 'b'];
const SIZE = { maxCommands: 60, size: 'max' } as const;

/** An operation; no retry is due before `hasten`. */
const step = (text: string, run: (model: Model, real: Real) => Promise<void>): Step => ({
  check: () => true,
  run,
  toString: () => text,
});

const append = fc.integer({ min: 1, max: 20 }).map(count =>
  step(`append(${count})`, async (model, { spool }) => {
    const first = model.appended + 1;
    model.appended += count;
    for (const consumer of model.consumers.values()) {
      for (let number = first; number <= model.appended; number++) consumer.unread.push(number);
    }
    await spool.append(numberedTo(count, first));
  }),
);

const pull = fc.tuple(fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 15 })).map(([name, max]) =>
  step(`${name}.pull(${max})`, async (model, real) => {
    const consumer = model.consumers.get(name)!;
    if (consumer.unread.length === 0) {
      expect(real.consumers.get(name)!.take(max)).toEqual([]);
      return;
    }
    const deliveries = await real.consumers.get(name)!.pull(max, new AbortController().signal);
    expect(deliveries.length).toBeGreaterThan(0);
    const expected = consumer.unread.splice(0, deliveries.length);
    expect(deliveries.map(numberOf)).toEqual(expected);
    consumer.inHands.push(...expected);
    real.deliveries.get(name)!.push(...deliveries);
  }),
);

const settle = fc
  .tuple(fc.constantFrom(...NAMES), fc.nat(), fc.constantFrom('ack', 'retry', 'bury'))
  .map(([name, which, how]) =>
    step(`${name}.${how}(${which})`, async (model, real) => {
      const consumer = model.consumers.get(name)!;
      const deliveries = real.deliveries.get(name)!;
      if (deliveries.length === 0) return;
      const [delivery] = deliveries.splice(which % deliveries.length, 1) as [Delivery];
      consumer.inHands.splice(consumer.inHands.indexOf(numberOf(delivery)), 1);
      if (how === 'ack') delivery.ack();
      else if (how === 'bury') await delivery.bury(error);
      else {
        delivery.retry(3_600_000, error);
        consumer.waiting.push(numberOf(delivery));
      }
      delivery.ack();
    }),
  );

const hasten = fc.constantFrom(...NAMES).map(name =>
  step(`${name}.hasten()`, async (model, real) => {
    const consumer = model.consumers.get(name)!;
    real.consumers.get(name)!.hasten();
    const due = consumer.waiting.splice(0).sort((a, b) => a - b);
    const deliveries = real.consumers.get(name)!.take(due.length);
    expect(deliveries.map(numberOf)).toEqual(due);
    real.deliveries.get(name)!.push(...deliveries);
    consumer.inHands.push(...due);
  }),
);

const reopen = fc.constantFrom(...NAMES).map(name =>
  step(`${name} reopened`, async (model, real) => {
    real.consumers.get(name)!.close();
    openConsumer(model, real, name);
  }),
);

const restart = fc.constant(
  step('restart', async (model, real) => {
    real.spool = await real.restart();
    for (const name of NAMES) openConsumer(model, real, name);
  }),
);

const trim = fc.constant(
  step('trim', async (model, { spool }) => {
    await spool.trim();
    const kept = new Set(await logged(spool));
    for (const { unread, inHands, waiting } of model.consumers.values()) {
      for (const number of [...unread, ...inHands, ...waiting]) expect(kept).toContain(number);
    }
  }),
);

const read = fc.nat().map(from =>
  step(`read(${from})`, async (model, { spool }) => {
    const numbers = await logged(spool, { fromOffset: from });
    const first = numbers[0] ?? model.appended + 1;
    expect(numbers).toEqual(Array.from({ length: model.appended + 1 - first }, (_, index) => first + index));
  }),
);

function openConsumer(model: Model, real: Real, name: string): void {
  const consumer = model.consumers.get(name)!;
  consumer.unread = [...consumer.unread, ...consumer.inHands.splice(0), ...consumer.waiting.splice(0)].sort(
    (a, b) => a - b,
  );
  real.deliveries.set(name, []);
  real.consumers.set(name, real.spool.consumer(name));
}

async function runModel(
  steps: Iterable<Step>,
  open: () => Promise<Pick<Real, 'spool' | 'restart'>>,
): Promise<void> {
  const opened = await open();
  const real: Real = { ...opened, consumers: new Map(), deliveries: new Map() };
  const model: Model = { appended: 0, consumers: new Map() };
  for (const name of NAMES) {
    model.consumers.set(name, { unread: [], inHands: [], waiting: [] });
    openConsumer(model, real, name);
  }
  try {
    await fc.asyncModelRun(
      async () => ({ model, real }),
      steps as Iterable<fc.AsyncCommand<Model, Real, boolean>>,
    );
    for (const name of NAMES) {
      const { unread, inHands, waiting } = model.consumers.get(name)!;
      expect(real.consumers.get(name)!.stats()).toMatchObject({
        depth: unread.length + inHands.length + waiting.length,
        inFlight: inHands.length,
        waiting: waiting.length,
        dropped: 0,
      });
    }
  } finally {
    await real.spool.close();
  }
}

const log = recordingLogger();
const common = [append, pull, pull, settle, settle, settle, hasten, reopen, trim, read];

describe('the model', () => {
  test('memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(common, SIZE), steps =>
        runModel(steps, async () => {
          const config = { ...SPOOL, historyBytes: 500 };
          const spool = openMemorySpool(config, { clock: realClock, log });
          return { spool, restart: async () => spool };
        }),
      ),
      { numRuns: 250 },
    );
  });

  test.each([
    ['everything from memory', {}],
    ['everything from disk', { memoryBytes: 1, segmentBytes: 1500 }],
  ])('disk, %s', async (_, overrides) => {
    await fc.assert(
      fc.asyncProperty(fc.commands([...common, restart], SIZE), steps =>
        runModel(steps, async () => {
          let files = new MemoryFiles();
          const config = { ...SPOOL, historyBytes: 500, ...overrides };
          const deps = { deadLetters: new LetterBox() };
          let spool = await openOn(files, config, deps);
          return {
            spool,
            restart: async () => {
              await spool.close();
              files = files.copyAll();
              spool = await openOn(files, config, deps);
              return spool;
            },
          };
        }),
      ),
      { numRuns: 250 },
    );
  });
});
