/** Notices changes of files by content, whatever way they were written: edited, renamed over, or a mount swapped. */
import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WatchOptions {
  /** Events within this time count as one change. */
  debounceMs?: number;
  /** How often files are looked at where no event comes (network mounts, swapped links). */
  pollMs?: number;
}

export interface ConfigWatch {
  /** Watches these files from now on; the present contents of those that are new count as known. */
  update(files: readonly string[]): Promise<void>;
  close(): void;
}

/**
 * Calls back after the contents of any of the files have changed, also when one appears or goes. Calls never overlap:
 * a change during one is told after it. Timers and watchers do not keep the process alive.
 */
export async function watchConfig(
  files: readonly string[],
  onChange: () => void | Promise<void>,
  options: WatchOptions = {},
): Promise<ConfigWatch> {
  const watcher = new Watcher(onChange, options);
  await watcher.update(files);
  return watcher;
}

interface Seen {
  /** Identity, size and time: cheap to ask for. */
  stamp: string;
  /** Hash of the content; empty for a file that cannot be read. */
  hash: string;
}

/** Where events never cease, as from a log that is written to the same folder, files are looked at after so many waits. */
const MOST_WAITS = 4;

class Watcher implements ConfigWatch {
  readonly #onChange: () => void | Promise<void>;
  readonly #debounceMs: number;
  readonly #poll: NodeJS.Timeout;
  #seen = new Map<string, Seen>();
  #folders: FSWatcher[] = [];
  #debounce: NodeJS.Timeout | undefined;
  /** When the files are looked at whatever comes meanwhile. */
  #due: number | undefined;
  #checking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(onChange: () => void | Promise<void>, { debounceMs = 250, pollMs = 5000 }: WatchOptions) {
    this.#onChange = onChange;
    this.#debounceMs = debounceMs;
    this.#poll = setInterval(() => void this.#look(), pollMs).unref();
  }

  async update(files: readonly string[]): Promise<void> {
    // What is known of a file stays: a change since it was read last is still to be told.
    const seen = new Map<string, Seen>();
    for (const file of files) seen.set(file, this.#seen.get(file) ?? (await look(file)));
    this.#seen = seen;
    if (this.#closed) return;
    this.#release();
    // Folders, not files: a watch on a file stays with the old one when a new one is moved into its place.
    for (const folder of new Set(files.map(file => dirname(file)))) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#schedule());
        watcher.on('error', () => watcher.close());
        this.#folders.push(watcher);
      } catch {
        // No such folder, or no watches left: polling goes on.
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#debounce);
    this.#release();
  }

  #release(): void {
    for (const folder of this.#folders) folder.close();
    this.#folders = [];
  }

  async #look(): Promise<void> {
    for (const [file, { stamp }] of this.#seen) {
      if (!this.#closed && (await stampOf(file)) !== stamp) return this.#schedule();
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#debounce);
    const now = performance.now();
    this.#due ??= now + MOST_WAITS * this.#debounceMs;
    const wait = Math.max(0, Math.min(this.#debounceMs, this.#due - now));
    this.#debounce = setTimeout(() => {
      this.#due = undefined;
      this.#checking = this.#checking.then(() => this.#check());
    }, wait).unref();
  }

  async #check(): Promise<void> {
    const before = this.#seen;
    const now = new Map<string, Seen>();
    for (const file of before.keys()) now.set(file, await look(file));
    // Files changed under way: the new ones were looked at just now.
    if (this.#closed || before !== this.#seen) return;
    this.#seen = now;
    if ([...now].every(([file, { hash }]) => hash === before.get(file)!.hash)) return;
    try {
      await this.#onChange();
    } catch {
      // Whoever reloads tells of its failures itself; watching goes on.
    }
  }
}

async function look(file: string): Promise<Seen> {
  const stamp = await stampOf(file);
  const content = await readFile(file).catch(() => undefined);
  return { stamp, hash: content ? createHash('sha256').update(content).digest('base64') : '' };
}

function stampOf(file: string): Promise<string> {
  return stat(file).then(
    ({ ino, size, mtimeMs }) => `${ino}:${size}:${mtimeMs}`,
    () => '',
  );
}
