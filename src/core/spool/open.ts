/** Opens the spool that the configuration asks for. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { SpoolConfig } from '../config/types.ts';
import type { Logger } from '../contract.ts';
import { fileTrouble } from '../file-trouble.ts';
import {
  type OwnDeadLetters,
  type Spool,
  type SpoolDeps,
  SpoolFaultError,
  SpoolLockedError,
} from './contract.ts';
import { Checkpoint } from './disk/checkpoint.ts';
import { errorCode, type FileSystem, nodeFiles } from './disk/files.ts';
import { type Lock, lockFolder } from './disk/lock.ts';
import { DiskLog } from './disk/log.ts';
import { SetAside } from './disk/set-aside.ts';
import { DiskSpool } from './disk/spool.ts';
import { CLOCK_STEP_MS } from './history.ts';
import { tellLeftBehind } from './left-behind.ts';
import { SqliteDeadLetters } from './letters/dead-letters.ts';
import { MemorySpool } from './memory.ts';

/** Parts of the bytes and the time that are dropped at once: the log is dropped a segment at a time. */
const SEGMENTS_AT_LEAST = 8;
const MIN_SEGMENT_AGE_MS = 60_000;

/** Effects that tests replace. */
export interface DiskDeps extends SpoolDeps {
  files?: FileSystem;
  lock?: (folder: string, log: Logger) => Promise<Lock>;
  deadLetters?: OwnDeadLetters;
}

/**
 * Opens the spool.
 * @throws SpoolLockedError when another process owns the data folder
 * @throws SpoolFaultError when the folder cannot be used at all
 */
export async function openSpool(config: SpoolConfig, deps: SpoolDeps): Promise<Spool> {
  tellLeftBehind(config, deps.log);
  if (config.driver === 'memory') return openMemorySpool(config, deps);
  if (config.driver === 'disk') return openDiskSpool(config, deps);
  // The client of NATS is loaded only where the log is there.
  const { openJetStreamSpool } = await import('./jetstream/open.ts');
  return openJetStreamSpool(config, { ...deps, openBuffer: buffer => openDiskSpool(buffer, deps) });
}

/** Opens a spool that lives in memory. */
export function openMemorySpool(config: SpoolConfig, deps: SpoolDeps): Spool {
  const deadLetters = new SqliteDeadLetters({
    path: ':memory:',
    ...config.deadLetters,
    durable: false,
    clock: deps.clock,
    log: deps.log,
    setAside: () => {},
  });
  return new MemorySpool(config, { ...deps, deadLetters });
}

/** Opens the spool in the configured folder. Throws as `openSpool` does. */
export async function openDiskSpool(config: SpoolConfig, deps: DiskDeps): Promise<Spool> {
  const { clock, log, files = nodeFiles, lock = lockFolder } = deps;
  const folder = config.path;
  const unusable = (error: unknown) => {
    const code = errorCode(error);
    const words = fileTrouble(error) ?? code;
    const why = words === code ? '' : `: ${words}; spool.path names the folder`;
    return new SpoolFaultError(`cannot use the data folder ${folder} (${code})${why}`, { cause: error });
  };
  let held: Lock | undefined;
  try {
    files.mkdir(folder);
    held = await lock(folder, log);
    const { release } = held;
    const setAside = new SetAside(files, join(folder, 'set-aside'), log);
    const checkpoint = new Checkpoint(files, folder);
    const { file: cursors, isLost } = await checkpoint.load(setAside);
    const disk = await DiskLog.open({
      files,
      folder: join(folder, 'log'),
      setAside,
      log,
      segmentBytes: Math.min(config.segmentBytes, Math.ceil(config.maxBytes / SEGMENTS_AT_LEAST)),
      segmentAgeMs: segmentAge(config),
      minNextOffset: cursors?.nextOffset ?? 1,
    });
    const deadLetters =
      deps.deadLetters ??
      new SqliteDeadLetters({
        path: join(folder, 'dead-letters.sqlite'),
        ...config.deadLetters,
        durable: config.durability === 'power',
        clock,
        log,
        setAside: (path, why) => moveDatabase(setAside, path, why),
      });
    return new DiskSpool(config, {
      clock,
      log,
      disk,
      checkpoint,
      setAside,
      cursors,
      areCursorsLost: isLost || (!cursors && disk.segments.count > 0),
      deadLetters,
      release,
    });
  } catch (error) {
    held?.release();
    throw error instanceof SpoolLockedError ? error : unusable(error);
  }
}

/** How old a segment may grow, so that what is dropped by age is dropped about in time. */
function segmentAge({ maxAgeMs, historyAgeMs }: SpoolConfig): number {
  const ages = [maxAgeMs, historyAgeMs].filter(age => age > 0).map(age => age / SEGMENTS_AT_LEAST);
  return Math.max(MIN_SEGMENT_AGE_MS, Math.min(...ages, CLOCK_STEP_MS));
}

/** A database and the files that SQLite keeps beside it. */
function moveDatabase(setAside: SetAside, path: string, why: string): void {
  for (const suffix of ['', '-wal', '-shm']) {
    const file = path + suffix;
    if (existsSync(file)) setAside.file(file, basename(file), why);
  }
}
