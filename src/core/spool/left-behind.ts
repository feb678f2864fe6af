/** Tells of alerts in the data folder that the driver in use does not read: another one has left them there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpoolConfig } from '../config/types.ts';
import type { Logger } from '../contract.ts';
import { parseCursors } from './cursor.ts';
import { CURSORS } from './disk/checkpoint.ts';

/** Folder of the buffer that the driver `jetstream` has in the data folder. */
export const BUFFER = 'buffer';

/** Warns of each log below `path` that holds alerts for an output, and that `driver` leaves alone. */
export function tellLeftBehind({ driver, path }: SpoolConfig, log: Logger): void {
  const logs = { disk: path, jetstream: join(path, BUFFER) };
  for (const [owner, folder] of Object.entries(logs)) {
    const alerts = owner === driver ? 0 : waitingIn(folder);
    if (alerts > 0)
      log.warn({ folder, alerts, driver: owner }, 'alerts wait here for a start with this spool.driver');
  }
}

/** How many alerts the output that is farthest behind has still to get, by the cursors last written. */
function waitingIn(folder: string): number {
  let text: string;
  try {
    text = readFileSync(join(folder, CURSORS), 'utf8');
  } catch {
    return 0;
  }
  const file = parseCursors(text);
  if (!file) return 0;
  const { nextOffset, cursors } = file;
  const waiting = [...cursors.values()].map(
    ({ next, pending }) => nextOffset - next + pending.reduce((sum, [from, to]) => sum + to - from, 0),
  );
  return Math.max(0, ...waiting);
}
