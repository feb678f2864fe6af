/**
 * Room on the disk that is given up when it is full: SQLite can remove nothing there, as it writes down first what is to
 * go.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, statfsSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { FILE_MODE, nodeFiles, writeFully } from '../disk/files.ts';

/** More than the log of the database grows to beside a few letters, so that it fits into the file and can be emptied. */
const RESERVE_BYTES = 4 * 2 ** 20;

export class LetterReserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Sees to it that there is one where the disk has room for more than that; otherwise it is for later. */
  keep(): void {
    try {
      if (statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return;
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize >= 2 * RESERVE_BYTES) this.#make();
    } catch {
      // What there is of the disk cannot be known: it is left to others.
    }
  }

  /** Does what needs the room, and takes back what is left of it. */
  lend<T>(work: () => T): T {
    const isThere = this.#remove();
    try {
      return work();
    } finally {
      if (isThere) this.#make();
    }
  }

  /** A smaller one is better than none. */
  #make(): void {
    try {
      const fd = openSync(this.#path, 'w', FILE_MODE);
      try {
        // Zeros would take no room on a file system that compresses.
        writeFully(nodeFiles, fd, randomFillSync(Buffer.allocUnsafe(RESERVE_BYTES)), RESERVE_BYTES, 0);
      } finally {
        closeSync(fd);
      }
    } catch {}
  }

  /** Whether there was one. */
  #remove(): boolean {
    try {
      unlinkSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }
}
