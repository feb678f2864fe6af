/** Brings dead letters to the device without holding up the process: SQLite would do so with each, or much later. */
import { dirname } from 'node:path';
import { nodeFiles } from '../disk/files.ts';

export class LetterSync {
  readonly #path: string;
  #isWritten = false;
  #isNew = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** The files may have been made just now. */
  opened(): void {
    this.#isNew = true;
  }

  /** Something was committed. */
  written(): void {
    this.#isWritten = true;
  }

  /**
   * Brings what was committed before the call to the device; nothing is done when that is there already. To be called
   * again only when it has ended.
   * @throws what the disk says
   */
  async sync(): Promise<void> {
    if (!this.#isWritten) return;
    const isNew = this.#isNew;
    this.#isWritten = false;
    this.#isNew = false;
    try {
      await this.#syncLog();
      if (isNew) await nodeFiles.syncFolder(dirname(this.#path));
    } catch (error) {
      this.#isWritten = true;
      this.#isNew ||= isNew;
      throw error;
    }
  }

  /** What is not in the log any more, SQLite has brought to the device itself (sqlite.org/pragma.html#pragma_synchronous). */
  async #syncLog(): Promise<void> {
    let fd: number;
    try {
      // Other than those of the file itself, no locks of SQLite lie on the log: closing it drops none.
      fd = nodeFiles.open(`${this.#path}-wal`, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      await nodeFiles.datasync(fd);
    } finally {
      nodeFiles.close(fd);
    }
  }
}
