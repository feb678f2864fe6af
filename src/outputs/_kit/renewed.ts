/** What holds for a time and is got anew before it ends: tokens, temporary keys. */
import { RetriableError } from '../../core/errors.ts';

/** It is got anew this long before it ends, or after half of its life. */
const EARLY_MS = 5 * 60_000;
/** The old one is used no longer than this before its end. */
const LAST_USE_MS = 10_000;
/** How soon a new one is asked for again while the old one still serves. */
const AGAIN_MS = 30_000;
/** Who is asked and has not answered by then is asked anew: all would wait for that one answer, which may never come. */
const ASK_MS = 20_000;

/** A value and the time until which it holds, in milliseconds since the epoch. */
export interface Lasting<T> {
  value: T;
  endsAt: number;
}

export interface Renewed<T> {
  /** The value, where nobody has to be asked for it. */
  held(): T | undefined;
  /** The value, a new one if it is time. @throws what `ask` throws, unless the old one still serves */
  get(): Promise<T>;
  /** Has a new value asked for although this one should hold. */
  drop(value: T): void;
}

/**
 * Nothing is asked for before it is needed, and once for all who wait.
 * @param ask gets a value; given up after 20 s, with a RetriableError
 */
export function createRenewed<T>(ask: () => Promise<Lasting<T>>, now: () => number): Renewed<T> {
  let known: (Lasting<T> & { renewAt: number }) | undefined;
  let asking: Promise<T> | undefined;

  async function renew(): Promise<T> {
    const askedAt = now();
    try {
      const { value, endsAt } = await inTime(ask());
      known = { value, endsAt, renewAt: endsAt - Math.min(EARLY_MS, (endsAt - askedAt) / 2) };
    } catch (error) {
      if (!known || now() >= known.endsAt - LAST_USE_MS) throw error;
      known.renewAt = now() + AGAIN_MS;
    }
    return known.value;
  }

  const held = () => (known && now() < known.renewAt ? known.value : undefined);
  return {
    held,
    async get() {
      const value = held();
      if (value !== undefined) return value;
      asking ??= renew().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    drop(value) {
      if (known?.value === value) known = undefined;
    },
  };
}

async function inTime<T>(asked: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const text = `no token and no keys were given out within ${ASK_MS / 1000} s`;
  const timer = setTimeout(() => reject(new RetriableError(text, { reason: 'timeout' })), ASK_MS).unref();
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
