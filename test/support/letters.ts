/** Dead letters in a file, limited only where a test says so. */
import { onTestFinished } from 'vitest';
import { type DeadLetterOptions, SqliteDeadLetters } from '../../src/core/spool/letters/dead-letters.ts';
import { recordingLogger } from './logger.ts';
import { numbered, realClock } from './spool.ts';

/** One that is about so many bytes. */
export function letterOf(number: number, bytes = 0, output = 'a') {
  const alert = numbered(number, 'x'.repeat(bytes));
  return { output, alert, error: 'refused', reason: 'client_error', attempts: 1, buriedAt: 1 };
}

/** Closed with the test. */
export function boxIn(path: string, over: Partial<DeadLetterOptions> = {}) {
  const log = recordingLogger();
  const box = new SqliteDeadLetters({
    path,
    maxCount: 0,
    maxBytes: 0,
    maxAgeMs: 0,
    durable: false,
    clock: realClock,
    log,
    setAside: () => {},
    ...over,
  });
  onTestFinished(() => box.close());
  return { box, log };
}
