/** Drops the oldest segments: for room, for age, and when nobody needs them. */

import type { ClockJumps } from '../../clock-jumps.ts';
import type { SpoolConfig } from '../../config/types.ts';
import type { Clock, Logger } from '../../contract.ts';
import { createLogLimit, type LogLimit } from '../../log-limit.ts';
import type { Consumers } from '../consumers.ts';
import type { DropReport } from '../drop-report.ts';
import type { DiskLog } from './log.ts';
import { countExpired, countForRoom, type SegmentAge } from './retention.ts';

export interface CleanerOptions {
  config: SpoolConfig;
  clock: Clock;
  log: Logger;
  jumps: ClockJumps;
  disk: DiskLog;
  consumers: Consumers;
  drops: DropReport;
  /** Writes the cursors down; what went wrong, if anything. */
  saveCursors(): unknown;
}

export class Cleaner {
  readonly #options: CleanerOptions;
  readonly #limit: LogLimit;

  constructor(options: CleanerOptions) {
    this.#options = options;
    this.#limit = createLogLimit(options.log, options.clock);
  }

  /** Makes room on disk for so many bytes; false when there is none and nothing may be dropped. */
  makeRoom(needed: number): boolean {
    const { disk, consumers, config } = this.#options;
    const { maxBytes, overflow } = config;
    if (disk.bytes + needed <= maxBytes) return true;
    const onlySettled = overflow === 'reject';
    // An output that is gone must not have alerts refused.
    const segments = this.#segments(consumers.lowest(disk.end));
    this.#drop(countForRoom(segments, { needed, maxBytes, onlySettled }));
    return disk.bytes + needed <= maxBytes;
  }

  /**
   * Makes room on a full disk: drops the oldest segments that come to so many bytes, whatever the history keeps, and
   * `unread` ones only when told so; false when there is nothing to drop.
   */
  free(bytes: number, unread?: 'unread'): boolean {
    const { disk, consumers } = this.#options;
    const before = disk.bytes;
    const segments = this.#segments(consumers.lowest(disk.end));
    const count = countForRoom(segments, { needed: bytes, maxBytes: before, onlySettled: !unread });
    if (count === 0) return false;
    this.#drop(count);
    const dropped = before - disk.bytes;
    this.#limit.warn('full', { bytes: dropped }, 'the disk is full: the oldest part of the log was dropped');
    return true;
  }

  /** Drops what everybody is past and the history does not keep, and what is too old. */
  trim(): void {
    const { config, jumps, disk, consumers, drops } = this.#options;
    const now = jumps.look();
    const segments = this.#segments(consumers.lowestKept(disk.end));
    this.#drop(countExpired(segments, config, now));
    drops.tell();
  }

  /** @param settledTo everything below is settled */
  #segments(settledTo: number): SegmentAge[] {
    const { disk, jumps } = this.#options;
    const { segments } = disk;
    return segments.values().map(segment => ({
      bytes: segment.size,
      lastAt: jumps.adjusted(disk.lastAtOf(segment)),
      isSettled: disk.endOf(segment) <= settledTo,
      isNewest: segment === segments.last,
    }));
  }

  #drop(count: number): void {
    if (count === 0) return;
    const { disk, consumers, drops, saveCursors } = this.#options;
    const last = disk.segments.values()[count - 1]!;
    const lost = consumers.moveForward(disk.endOf(last));
    // Cursors first: after a crash they must not point at what is gone.
    const error = saveCursors();
    disk.drop(count);
    // There may be space for them now.
    if (error !== undefined) saveCursors();
    drops.add(lost);
  }
}
