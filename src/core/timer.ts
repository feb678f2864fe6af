/** Longest time of a timer, in milliseconds: beyond it Node fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What to give a timer for so many milliseconds: whole ones, never early, and no more than it can wait. */
export function timerMs(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), MAX_TIMER_MS);
}
