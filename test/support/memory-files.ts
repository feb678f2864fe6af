/** A file system in memory that remembers every change, so that a crash can be put anywhere between them. */
import type { FileSystem } from '../../src/core/spool/disk/files.ts';

type Change =
  | { kind: 'create'; path: string }
  | { kind: 'write'; path: string; bytes: Buffer; position: number }
  | { kind: 'truncate'; path: string; size: number }
  | { kind: 'rename'; path: string; to: string }
  | { kind: 'unlink'; path: string };

export type Operation = Exclude<keyof FileSystem, 'list'>;

export class MemoryFiles implements FileSystem {
  readonly contents = new Map<string, Buffer>();
  readonly changes: Change[] = [];
  /** Asked before each operation; an error that it returns is thrown. */
  refuse: (operation: Operation, path: string) => Error | undefined = () => undefined;
  /** Bytes that there is space for; beyond it, a write is refused. */
  capacity = Number.POSITIVE_INFINITY;
  /** Most bytes taken by one write. */
  shortWrite = Number.POSITIVE_INFINITY;
  #paths = new Map<number, string>();
  #nextFd = 3;
  /** Sizes of files that were removed and are still open: as on a real disk, they take space. */
  #removed = new Map<number, number>();

  /** The files as a crash after `count` changes leaves them; of the next one, if it is a write, some bytes. */
  crashed(count: number, torn = 0): MemoryFiles {
    const files = new MemoryFiles();
    for (const change of this.changes.slice(0, count)) files.#apply(change);
    const next = this.changes[count];
    if (torn > 0 && next?.kind === 'write') files.#apply({ ...next, bytes: next.bytes.subarray(0, torn) });
    files.changes.length = 0;
    return files;
  }

  /** The files as they are. */
  copyAll(): MemoryFiles {
    const files = new MemoryFiles();
    for (const [path, bytes] of this.contents) files.contents.set(path, Buffer.from(bytes));
    return files;
  }

  /** How many files are open. */
  get openFiles(): number {
    return this.#paths.size;
  }

  mkdir(path: string): void {
    this.#ask('mkdir', path);
  }

  list(path: string): string[] {
    const names = new Set<string>();
    for (const file of this.contents.keys()) {
      if (file.startsWith(`${path}/`)) names.add(file.slice(path.length + 1).split('/')[0]!);
    }
    return [...names];
  }

  open(path: string, flags: 'r' | 'r+' | 'w'): number {
    this.#ask('open', path);
    if (flags === 'w') this.#apply({ kind: 'create', path });
    else this.#file(path);
    this.#paths.set(this.#nextFd, path);
    return this.#nextFd++;
  }

  close(fd: number): void {
    if (!this.#paths.delete(fd)) throw new Error('closed twice');
    this.#removed.delete(fd);
  }

  size(fd: number): number {
    return this.#file(this.#path(fd)).length;
  }

  isRemoved(fd: number): boolean {
    return this.#removed.has(fd);
  }

  async read(fd: number, buffer: Buffer, length: number, position: number): Promise<number> {
    const path = this.#path(fd);
    this.#ask('read', path);
    // As on a real disk, an open file can be read after it was removed.
    return (this.contents.get(path) ?? Buffer.alloc(0)).copy(buffer, 0, position, position + length);
  }

  readFile(path: string): Buffer {
    this.#ask('readFile', path);
    return Buffer.from(this.#file(path));
  }

  write(fd: number, buffer: Buffer, from: number, length: number, position: number): number {
    const path = this.#path(fd);
    this.#ask('write', path);
    if (this.capacity < Number.POSITIVE_INFINITY && this.#used() + length > this.capacity) {
      throw fileError('ENOSPC');
    }
    const count = Math.min(length, this.shortWrite);
    this.#apply({ kind: 'write', path, bytes: Buffer.from(buffer.subarray(from, from + count)), position });
    return count;
  }

  truncate(fd: number, size: number): void {
    const path = this.#path(fd);
    this.#ask('truncate', path);
    this.#apply({ kind: 'truncate', path, size });
  }

  async datasync(fd: number): Promise<void> {
    this.#ask('datasync', this.#path(fd));
  }

  async syncFolder(path: string): Promise<void> {
    this.#ask('syncFolder', path);
  }

  rename(from: string, to: string): void {
    this.#ask('rename', from);
    this.#file(from);
    this.#apply({ kind: 'rename', path: from, to });
  }

  copy(from: string, to: string): void {
    this.#ask('copy', from);
    this.#apply({ kind: 'create', path: to });
    this.#apply({ kind: 'write', path: to, bytes: Buffer.from(this.#file(from)), position: 0 });
  }

  unlink(path: string): void {
    this.#ask('unlink', path);
    const { length } = this.#file(path);
    for (const [fd, open] of this.#paths) if (open === path) this.#removed.set(fd, length);
    this.#apply({ kind: 'unlink', path });
  }

  #used(): number {
    let bytes = 0;
    for (const { length } of this.contents.values()) bytes += length;
    for (const length of this.#removed.values()) bytes += length;
    return bytes;
  }

  #apply(change: Change): void {
    this.changes.push(change);
    const { path } = change;
    switch (change.kind) {
      case 'create':
        this.contents.set(path, Buffer.alloc(0));
        break;
      case 'write': {
        const old = this.contents.get(path) ?? Buffer.alloc(0);
        const file = Buffer.alloc(Math.max(old.length, change.position + change.bytes.length));
        old.copy(file);
        change.bytes.copy(file, change.position);
        this.contents.set(path, file);
        break;
      }
      case 'truncate':
        this.contents.set(path, Buffer.from(this.#file(path).subarray(0, change.size)));
        break;
      case 'rename':
        this.contents.set(change.to, this.#file(path));
        this.contents.delete(path);
        break;
      case 'unlink':
        this.contents.delete(path);
    }
  }

  #ask(operation: Operation, path: string): void {
    const error = this.refuse(operation, path);
    if (error) throw error;
  }

  #path(fd: number): string {
    const path = this.#paths.get(fd);
    if (path === undefined) throw fileError('EBADF');
    return path;
  }

  #file(path: string): Buffer {
    const file = this.contents.get(path);
    if (!file) throw fileError('ENOENT');
    return file;
  }
}

/** An error as Node's file functions throw it. */
export function fileError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}
