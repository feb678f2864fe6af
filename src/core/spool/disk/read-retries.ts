/** Reads again, at a start, what cannot be read for the moment: alerts that are sound must not be passed over. */
import { setTimeout } from 'node:timers/promises';
import { SpoolFaultError } from '../contract.ts';
import { errorCode } from './files.ts';
import { isTransient } from './read-faults.ts';

const TRIES = 5;
const PAUSE_MS = 100;
/** Of one start, whatever the number of files. */
const MOST_PAUSES = 50;
/** It would be the same again. */
const SETTLED = new Set(['ENOENT', 'EACCES', 'EPERM']);

export class ReadRetries {
  #pauses = MOST_PAUSES;

  /**
   * Runs what reads the file of that name, a few times if need be.
   * @throws SpoolFaultError when it fails in a way that may pass, which ends the start; else what the file system says
   */
  async read<T>(name: string, action: () => T | Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await action();
      } catch (error) {
        const code = errorCode(error);
        if (tries < TRIES && !SETTLED.has(code) && this.#pauses-- > 0) {
          await setTimeout(PAUSE_MS);
          continue;
        }
        if (!isTransient(error)) throw error;
        throw new SpoolFaultError(`${name} cannot be read: ${code}; to start without it would cost alerts`, {
          cause: error,
        });
      }
    }
  }
}
