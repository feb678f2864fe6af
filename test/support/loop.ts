/** The event loop of the test process. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when the event loop has waited for events in between, which a busy machine may put off. */
export async function loopHasSlept(): Promise<void> {
  const { idleTime } = performance.nodeTiming;
  while (performance.nodeTiming.idleTime === idleTime) await sleep(2);
}
