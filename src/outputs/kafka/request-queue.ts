/**
 * kafkajs 2.2.4 arms a timer after every answer, with a delay that lies some 56 years in the past while the broker does
 * not throttle (kafkajs issue 1751). Node takes such a delay for 1 ms, so the timer runs a thousand times a second for
 * ever, and Node 24 warns of it. The package has had no release since 2023, so its one method is replaced: the timer
 * is armed only when a request waits, and never with less than the 10 ms that the package means.
 */

const LEAST_WAIT_MS = 10;

interface RequestQueue {
  pending: unknown[];
  /** Milliseconds since the epoch; -1 when the broker never throttled. */
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}

function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const wait = Math.max(this.throttledUntil - Date.now(), LEAST_WAIT_MS);
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, wait);
}

/** Puts the method in place; doing so again changes nothing. */
export async function mendRequestQueue(): Promise<void> {
  const inside = 'kafkajs/src/network/requestQueue/index.js';
  const { default: queue } = (await import(inside)) as { default: { prototype: object } };
  Object.assign(queue.prototype, { scheduleCheckPendingRequests });
}
