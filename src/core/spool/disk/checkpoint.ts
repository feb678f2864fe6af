/** Keeps the cursors: one file, written whole and renamed, and an older copy that is known to be on the device. */
import { join } from 'node:path';
import { SpoolFaultError } from '../contract.ts';
import { type CursorFile, parseCursors } from '../cursor.ts';
import { type FileSystem, writeFully } from './files.ts';
import { ReadRetries } from './read-retries.ts';
import type { SetAside } from './set-aside.ts';

/** Name of the file in its folder. */
export const CURSORS = 'cursors';
const BACKUP = 'cursors.backup';

/** What was found of the cursors. */
export interface LoadedCursors {
  file: CursorFile | undefined;
  /** There were cursors and they cannot be read. */
  isLost: boolean;
}

export class Checkpoint {
  readonly #files: FileSystem;
  readonly #folder: string;

  constructor(files: FileSystem, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  /**
   * The newest cursors that can be read; what is damaged is set aside.
   * @throws SpoolFaultError when they cannot be read in a way that may pass
   */
  async load(setAside: SetAside): Promise<LoadedCursors> {
    const retries = new ReadRetries();
    const main = await this.#read(CURSORS, setAside, retries);
    const backup = await this.#read(BACKUP, setAside, retries);
    if (!main.file) return { file: backup.file, isLost: !backup.file && (main.isLost || backup.isLost) };
    // After a power failure the file may be an old one: only the backup is sure to have reached the device.
    const isOld = backup.file !== undefined && backup.file.nextOffset > main.file.nextOffset;
    return isOld ? backup : main;
  }

  /** Writes the cursors down: they survive the end of the process. */
  save(text: string): void {
    const path = join(this.#folder, `${CURSORS}.new`);
    const fd = this.#files.open(path, 'w');
    try {
      const bytes = Buffer.from(text);
      writeFully(this.#files, fd, bytes, bytes.length, 0);
    } finally {
      this.#files.close(fd);
    }
    this.#files.rename(path, join(this.#folder, CURSORS));
  }

  /** Writes the copy that survives a power failure. To be called again only when it has ended. */
  async saveBackup(text: string): Promise<void> {
    const path = join(this.#folder, `${BACKUP}.new`);
    const fd = this.#files.open(path, 'w');
    try {
      const bytes = Buffer.from(text);
      writeFully(this.#files, fd, bytes, bytes.length, 0);
      await this.#files.datasync(fd);
    } finally {
      this.#files.close(fd);
    }
    this.#files.rename(path, join(this.#folder, BACKUP));
    await this.#files.syncFolder(this.#folder);
  }

  async #read(name: string, setAside: SetAside, retries: ReadRetries): Promise<LoadedCursors> {
    const path = join(this.#folder, name);
    let text: string;
    try {
      text = (await retries.read(name, () => this.#files.readFile(path))).toString();
    } catch (error) {
      if (error instanceof SpoolFaultError) throw error;
      return { file: undefined, isLost: (error as NodeJS.ErrnoException).code !== 'ENOENT' };
    }
    const file = parseCursors(text);
    if (!file) setAside.copy(path, name, 'the cursors cannot be read');
    return { file, isLost: !file };
  }
}
