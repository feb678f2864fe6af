/** What holds for a time and is got anew before it ends: tokens, temporary keys. */

/** It is got anew this long before it ends, or after half of its life. */
const EARLY_MS = 5 * 60_000;
/** The old one is used no longer than this before its end. */
const LAST_USE_MS = 10_000;
/** How soon a new one is asked for again while the old one still serves. */
const AGAIN_MS = 30_000;

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
 * @param ask gets a value, in a time of its own
 */
export function createRenewed<T>(ask: () => Promise<Lasting<T>>, now: () => number): Renewed<T> {
  let known: (Lasting<T> & { renewAt: number }) | undefined;
  let asking: Promise<T> | undefined;

  async function renew(): Promise<T> {
    const askedAt = now();
    try {
      const { value, endsAt } = await ask();
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
