/** Sees to it that the cursors are written down: soon after they moved, and at times down to the device. */
import type { Logger } from '../../contract.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CheckpointTimer } from './checkpoint-timer.ts';
import { errorCode, isDiskFull } from './files.ts';

const BACKUP_INTERVAL_MS = 10_000;

export interface CursorKeeperOptions {
  checkpoint: Checkpoint;
  log: Logger;
  /** The cursors as they stand. */
  text(): string;
  /** Called before each checkpoint. */
  due(): void;
  /** Makes some space on a full disk; false when there is none to make. */
  free(): boolean;
  /** Brings the dead letters to the device that the cursors have moved past. */
  syncLetters(): Promise<void>;
}

export class CursorKeeper {
  readonly #options: CursorKeeperOptions;
  readonly #timer: CheckpointTimer;
  /** A consumer that is not written down yet would start behind the alerts after a restart. */
  #hasNew = false;
  /** A new cursor has to reach the device with the alerts that it is for. */
  #isBackupWanted = false;
  #backupAt = performance.now();
  #isFaultTold = false;
  #isStopped = false;

  constructor(options: CursorKeeperOptions) {
    this.#options = options;
    this.#timer = new CheckpointTimer(() => this.checkpoint());
  }

  /** Cursors moved; so many entries were settled. */
  moved(settled: number): void {
    this.#timer.moved(settled);
  }

  /** There is a new one. */
  added(): void {
    this.#hasNew = true;
    this.#isBackupWanted = true;
    this.#timer.moved(0);
  }

  /** Writes the cursors down; what went wrong, if anything. */
  save(): unknown {
    try {
      this.#options.checkpoint.save(this.#options.text());
      this.#hasNew = false;
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** The same if one of them was never written. */
  saveNew(): unknown {
    return this.#hasNew ? this.save() : undefined;
  }

  /** Writes the cursors down; a failure is told of once and tried again. */
  checkpoint(): void {
    this.#options.due();
    let error = this.save();
    if (isDiskFull(error) && this.#options.free()) error = this.save();
    if (error === undefined) {
      this.#isFaultTold = false;
      return;
    }
    this.#tell(error);
    if (!this.#isStopped) this.#timer.moved(0);
  }

  /**
   * Brings a copy to the device when one is due. To be called again only when it has ended.
   * @throws what the disk says, when the copy cannot wait
   */
  async backup(): Promise<void> {
    const isWanted = this.#isBackupWanted;
    if (!isWanted && performance.now() - this.#backupAt < BACKUP_INTERVAL_MS) return;
    this.#isBackupWanted = false;
    this.#backupAt = performance.now();
    try {
      const text = this.#options.text();
      await this.#options.syncLetters();
      await this.#options.checkpoint.saveBackup(text);
    } catch (error) {
      this.#tell(error);
      if (!isWanted) return;
      this.#isBackupWanted = true;
      throw error;
    }
  }

  /** No more checkpoints come by themselves; the next backup is made whether or not it is due. */
  stop(): void {
    this.#isStopped = true;
    this.#isBackupWanted = true;
    this.#timer.stop();
  }

  #tell(error: unknown): void {
    if (this.#isFaultTold) return;
    this.#isFaultTold = true;
    this.#options.log.warn(
      { error: errorCode(error) },
      'the cursors cannot be written; alerts may go out twice',
    );
  }
}
