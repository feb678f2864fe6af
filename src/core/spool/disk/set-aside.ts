/** Keeps what cannot be read for whoever wants to look at it, counts it, and says so. */
import { join } from 'node:path';
import type { Logger } from '../../contract.ts';
import { errorCode, type FileSystem, writeFully } from './files.ts';

/** Most files kept: damage that goes on and on must not fill the disk. */
const MAX_FILES = 100;

export class SetAside {
  /** Pieces set aside since the process started. */
  count = 0;
  readonly #files: FileSystem;
  readonly #folder: string;
  readonly #log: Logger;

  constructor(files: FileSystem, folder: string, log: Logger) {
    this.#files = files;
    this.#folder = folder;
    this.#log = log;
  }

  /** Moves a file away whole. */
  file(path: string, name: string, why: string): void {
    this.#note({ file: name }, why, () => this.#files.rename(path, this.#place(name)));
  }

  /** Copies a file and leaves it where it is. */
  copy(path: string, name: string, why: string): void {
    this.#note({ file: name }, why, () => this.#files.copy(path, this.#place(name)));
  }

  /** Keeps a copy of unreadable bytes; `more` of a piece that was counted already. */
  bytes(bytes: Buffer, name: string, position: number, options: { why: string; more?: boolean }): void {
    if (options.more) this.count--;
    this.#note({ file: name, position, bytes: bytes.length }, options.why, () => {
      const fd = this.#files.open(this.#place(`${name}.${position}`), 'w');
      try {
        writeFully(this.#files, fd, bytes, bytes.length, 0);
      } finally {
        this.#files.close(fd);
      }
    });
  }

  /** Counts what is lost: there is nothing to keep. */
  lost(name: string, position: number, why: string): void {
    this.count++;
    this.#log.error({ file: name, position }, why);
  }

  #note(fields: Record<string, unknown>, why: string, keep: () => void): void {
    this.count++;
    let kept = true;
    try {
      keep();
    } catch (error) {
      kept = false;
      fields.error = errorCode(error);
    }
    this.#log.error({ ...fields, kept }, `set aside: ${why}`);
  }

  /** A free name in the folder. */
  #place(name: string): string {
    this.#files.mkdir(this.#folder);
    const taken = new Set(this.#files.list(this.#folder));
    if (taken.size >= MAX_FILES) throw new Error('too many files are set aside already');
    let free = name;
    for (let number = 1; taken.has(free); number++) free = `${name}~${number}`;
    return join(this.#folder, free);
  }
}
