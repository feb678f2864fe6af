/** What targets have in place of Falco's priorities. Pure. */

import { PRIORITIES } from '../../core/alert/priority.ts';
import type { Priority } from '../../core/contract.ts';

/**
 * A value for each priority, given by steps: one that is not named has the value of the next more urgent one.
 * `{ Emergency: 'error', Warning: 'warning', Notice: 'info' }` is `error` down to Error, and `info` from Notice on.
 */
export function scale<const T>(
  steps: { Emergency: T } & Partial<Record<Priority, T>>,
): Readonly<Record<Priority, T>> {
  let value: T = steps.Emergency;
  const urgentFirst = [...PRIORITIES].reverse();
  const entries = urgentFirst.map(priority => {
    value = steps[priority] ?? value;
    return [priority, value];
  });
  return Object.fromEntries(entries);
}
