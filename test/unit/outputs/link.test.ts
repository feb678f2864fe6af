import { afterEach, describe, expect, test, vi } from 'vitest';
import { RetriableError } from '../../../src/core/errors.ts';
import { type Link, LinkKeeper, sendEach, unlessLost } from '../../../src/outputs/_kit/link.ts';

class FakeLink implements Link {
  readonly #lost = new AbortController();
  closed = 0;
  paused = false;

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async close(): Promise<void> {
    this.closed++;
  }

  destroy(): void {
    this.#lost.abort(new RetriableError('lost', { reason: 'network' }));
  }
}

/** A keeper of fake links, and those that it has opened. */
function keeper(open?: (signal: AbortSignal) => Promise<FakeLink>) {
  const opened: FakeLink[] = [];
  const links = new LinkKeeper(async signal => {
    const link = (await open?.(signal)) ?? new FakeLink();
    opened.push(link);
    return link;
  });
  return { links, opened };
}

const live = () => new AbortController().signal;
const never = new Promise<never>(() => undefined);

afterEach(() => {
  vi.useRealTimers();
});

describe('the kept link', () => {
  test('is opened once for sends side by side, and again after it was lost', async () => {
    const { links, opened } = keeper();
    const used = await Promise.all([1, 2, 3].map(() => links.use(async link => link, live())));
    expect(new Set(used)).toEqual(new Set([opened[0]]));
    opened[0]!.destroy();
    expect(await links.use(async link => link, live())).toBe(opened[1]);
  });

  test('is opened anew after opening has failed', async () => {
    let tries = 0;
    const { links } = keeper(async () => {
      if (tries++ === 0) throw new RetriableError('away', { reason: 'network' });
      return new FakeLink();
    });
    await expect(links.use(async () => 1, live())).rejects.toThrow('away');
    expect(await links.use(async () => 1, live())).toBe(1);
  });

  test('is given up when a try ends without an answer, unless the far side has asked to wait', async () => {
    const { links, opened } = keeper();
    const controller = new AbortController();
    const sending = links.use(() => never, controller.signal);
    await expect.poll(() => opened.length).toBe(1);
    opened[0]!.paused = true;
    controller.abort();
    await expect(sending).rejects.toMatchObject({ reason: 'timeout' });
    expect(opened[0]!.lost.aborted).toBe(false);
    opened[0]!.paused = false;
    await expect(links.use(() => never, AbortSignal.timeout(1))).rejects.toMatchObject({ reason: 'timeout' });
    expect(opened[0]!.lost.aborted).toBe(true);
  });

  test('whose opening takes too long keeps nothing from the next one, and is destroyed when it comes', async () => {
    vi.useFakeTimers();
    const { promise, resolve } = Promise.withResolvers<FakeLink>();
    const signals: AbortSignal[] = [];
    const { links, opened } = keeper(async signal => (signals.push(signal) === 1 ? promise : new FakeLink()));
    const sending = links.use(async () => 1, live()).catch(error => error);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await sending).toMatchObject({ name: 'RetriableError', reason: 'timeout' });
    expect(signals[0]!.aborted).toBe(true);
    const used = await links.use(async link => link, live());
    expect(used).toBe(opened[0]);
    const late = new FakeLink();
    resolve(late);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(late.lost.aborted).toBe(true);
    expect(used.lost.aborted).toBe(false);
    expect(await links.use(async link => link, live())).toBe(used);
  });

  test('is opened with a signal of its own, so that what listens to it goes with it', async () => {
    const signals: AbortSignal[] = [];
    const { links, opened } = keeper(async signal => {
      signals.push(signal);
      return new FakeLink();
    });
    for (const at of [0, 1]) {
      await links.use(async () => 1, live());
      opened[at]!.destroy();
    }
    expect(signals[0]).not.toBe(signals[1]);
  });

  test('is closed with its keeper, also while it is being opened, and not opened again', async () => {
    const { promise, resolve } = Promise.withResolvers<FakeLink>();
    const { links } = keeper(() => promise);
    const sending = links.use(() => never, AbortSignal.timeout(50)).catch(error => error);
    const closing = links.close();
    const link = new FakeLink();
    resolve(link);
    await closing;
    await links.close();
    expect(link.closed).toBe(1);
    expect(await sending).toBeInstanceOf(RetriableError);
    await expect(links.use(async () => 1, live())).rejects.toThrow('closed');
  });

  test('a try that is cut short keeps what was accepted until then', async () => {
    const { links } = keeper();
    const controller = new AbortController();
    const send = async (_link: FakeLink, item: string) => {
      if (item === 'slow') {
        setImmediate(() => controller.abort());
        await never;
      }
      if (item === 'bad') throw new RetriableError('refused', { reason: 'server_error' });
    };
    const failed = await sendEach(links, ['good', 'slow', 'bad'], send, controller.signal);
    expect([...failed].map(([index, { reason }]) => [index, reason]).sort()).toEqual([
      [1, 'timeout'],
      [2, 'server_error'],
    ]);
  });

  test('work ends with the link', async () => {
    const link = new FakeLink();
    const working = unlessLost(never, link.lost);
    link.destroy();
    await expect(working).rejects.toThrow('lost');
    await expect(unlessLost(never, link.lost)).rejects.toThrow('lost');
  });
});
