/** The file operations of the disk driver, as few as it can do with: tests make each of them fail. */
import {
  closeSync,
  copyFileSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

/**
 * All throw node's errors (`code`: ENOSPC, EIO, ENOENT, ...). Writing is synchronous: measured at 4 µs of CPU for an
 * alert of 1.1 KB against 45 µs through the thread pool, and whoever appends waits for it anyway.
 */
export interface FileSystem {
  /** Creates the folder and those above it. */
  mkdir(path: string): void;
  /** Names of what is in the folder. */
  list(path: string): string[];
  /** `r` reads; `r+` also writes; `w` creates the file or empties it. */
  open(path: string, flags: 'r' | 'r+' | 'w'): number;
  close(fd: number): void;
  /** Bytes in the file. */
  size(fd: number): number;
  /** Whether the file was removed: it ends when it is closed. */
  isRemoved(fd: number): boolean;
  /** Reads into the buffer from its start; how many bytes there were. */
  read(fd: number, buffer: Buffer, length: number, position: number): Promise<number>;
  readFile(path: string): Buffer;
  /** Writes the buffer's first bytes; how many were written, which may be fewer. */
  write(fd: number, buffer: Buffer, from: number, length: number, position: number): number;
  truncate(fd: number, size: number): void;
  /** Brings the file's data to the device. */
  datasync(fd: number): Promise<void>;
  /** Brings a folder's entries to the device. */
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): void;
  copy(from: string, to: string): void;
  unlink(path: string): void;
}

/** Alerts tell an attacker a lot: only the owner may read what is written. */
export const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** The real thing. */
export const nodeFiles: FileSystem = {
  mkdir: path => void mkdirSync(path, { recursive: true, mode: FOLDER_MODE }),
  list: path => readdirSync(path),
  open: (path, flags) => openSync(path, flags, FILE_MODE),
  close: fd => closeSync(fd),
  size: fd => fstatSync(fd).size,
  isRemoved: fd => fstatSync(fd).nlink === 0,
  read: (fd, buffer, length, position) =>
    new Promise((resolve, reject) =>
      read(fd, buffer, 0, length, position, (error, count) => (error ? reject(error) : resolve(count))),
    ),
  readFile: path => readFileSync(path),
  write: (fd, buffer, from, length, position) => writeSync(fd, buffer, from, length, position),
  truncate: (fd, size) => ftruncateSync(fd, size),
  datasync: fd =>
    new Promise((resolve, reject) => fdatasync(fd, error => (error ? reject(error) : resolve()))),
  syncFolder: path =>
    new Promise((resolve, reject) => {
      const fd = openSync(path, 'r');
      fsync(fd, error => {
        closeSync(fd);
        if (error) reject(error);
        else resolve();
      });
    }),
  rename: (from, to) => renameSync(from, to),
  copy: (from, to) => copyFileSync(from, to),
  unlink: path => unlinkSync(path),
};

/** Writes all of it or throws; what was written by then stands in the file. */
export function writeFully(
  files: FileSystem,
  fd: number,
  buffer: Buffer,
  length: number,
  position: number,
): void {
  let written = 0;
  while (written < length) {
    const count = files.write(fd, buffer, written, length - written, position + written);
    if (count <= 0) throw Object.assign(new Error('the disk took no bytes'), { code: 'ENOSPC' });
    written += count;
  }
}

/** Reads up to `length` bytes; fewer only at the end of the file. */
export async function readFully(
  files: FileSystem,
  fd: number,
  buffer: Buffer,
  length: number,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await files.read(
      fd,
      done === 0 ? buffer : buffer.subarray(done),
      length - done,
      position + done,
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Whether a file error says that there is no space, on the device or in the quota. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The code of a file error, for the log; the message would name the path, which may tell too much. */
export function errorCode(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message);
}
