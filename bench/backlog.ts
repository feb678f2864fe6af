/** Fills a data folder with alerts that one output has not read: by the spool's own code, as posting takes too long. */
import { statfs } from 'node:fs/promises';
import { sealAlert } from '../src/core/alert/alert.ts';
import { parseAlert } from '../src/core/alert/parse.ts';
import type { SpoolConfig } from '../src/core/config/types.ts';
import type { Logger } from '../src/core/contract.ts';
import { systemClock } from '../src/core/host.ts';
import { openSpool } from '../src/core/spool/open.ts';
import { alertText } from './corpus.ts';

/** Room for the log that the daemon has to be given as well. */
export const LOG_BYTES = 64 * 2 ** 30;

const AT_ONCE = 500;
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const configOf = (path: string): SpoolConfig => ({
  driver: 'disk',
  path,
  durability: 'process',
  maxBytes: LOG_BYTES,
  maxAgeMs: 0,
  historyBytes: 0,
  historyAgeMs: 0,
  overflow: 'reject',
  memoryBytes: 16 * 2 ** 20,
  segmentBytes: 32 * 2 ** 20,
  removedMs: 0,
  deadLetters: { maxCount: 1000, maxBytes: 0, maxAgeMs: 0 },
});

/**
 * Appends alerts until `output` has `count` of them before it. Forgets where all other outputs are, so that they start
 * at the end.
 * @param path folder of a spool that nobody else has open
 * @throws Error when the disk has no room for them
 */
export async function fillBacklog(path: string, output: string, count: number): Promise<void> {
  const alerts = Array.from({ length: AT_ONCE }, (_, index) => {
    const { draft, refusal } = parseAlert(alertText(index, new Date()));
    if (!draft) throw new Error(refusal.message);
    return sealAlert(draft);
  });
  const spool = await openSpool(configOf(path), { clock: systemClock, log: silent });
  try {
    const consumer = spool.consumer(output, 'beginning');
    let missing = count - consumer.stats().depth;
    const { bavail, bsize } = await statfs(path);
    const bytes = Math.max(...alerts.map(alert => alert.bytes.length)) + 24;
    if (missing * bytes > bavail * bsize * 0.9) throw new Error(`no room on the disk for ${count} alerts`);
    for (; missing > 0; missing -= AT_ONCE) await spool.append(alerts.slice(0, missing));
    spool.retain([output]);
  } finally {
    await spool.close();
  }
}
