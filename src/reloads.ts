/** The configuration as it changes: read again when one of its files does or somebody asks, one change after the other. */
import type { Config } from './core/config/types.ts';
import { type ConfigWatch, watchConfig } from './core/config/watch.ts';
import { ConfigError, formatProblem } from './core/errors.ts';
import type { StatusReport } from './core/http-server/backend.ts';
import type { RootLogger } from './core/log.ts';
import type { Metrics } from './core/metrics.ts';

export interface ReloadsOptions {
  /** @throws ConfigError when the configuration is refused */
  read(): Config;
  /** Puts a configuration to use. */
  apply(config: Config): Promise<void>;
  log: RootLogger;
  metrics: Pick<Metrics, 'reloaded'>;
}

/** Sees to it that the newest configuration that is any good is in use, and tells of the others. */
export class Reloads {
  /** How the reloads so far went. */
  readonly report: StatusReport['reloads'] = { ok: 0, failed: 0 };
  readonly #options: ReloadsOptions;
  /** Of the configuration in use. */
  #files: readonly string[] = [];
  #watch: ConfigWatch | undefined;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
  }

  /**
   * Watches the files of the configuration in use.
   * @param started reloads that are asked for before it resolves wait for that
   */
  async watch(files: readonly string[], started: Promise<void>): Promise<void> {
    this.#files = files;
    this.#last = started;
    this.#watch = await watchConfig(files, () => this.reload().catch(() => {}));
  }

  /** Reads the configuration again. Rejects with ConfigError when it is refused; the old one then stays in use. */
  reload(): Promise<void> {
    // One after the other, in the order of the calls.
    const next = this.#last.catch(() => {}).then(() => this.#reload());
    this.#last = next;
    return next;
  }

  /** No more reloads. Resolves when the one under way has come to its end. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    await this.#last.catch(() => {});
  }

  async #reload(): Promise<void> {
    if (this.#closed) return;
    const { log, metrics } = this.#options;
    try {
      const config = this.#options.read();
      // A change from now on is to be told.
      await this.#watch?.update(config.files);
      this.#files = config.files;
      await this.#options.apply(config);
      this.report.ok++;
      delete this.report.lastError;
      metrics.reloaded(true);
    } catch (error) {
      this.report.failed++;
      this.report.lastError = (error as Error).message;
      metrics.reloaded(false);
      if (error instanceof ConfigError) {
        // A file that is missing now may come later.
        await this.#watch?.update([...this.#files, ...error.files]);
        log.error(
          { problems: error.problems.map(formatProblem) },
          'configuration refused, the former one stays in use',
        );
      } else {
        log.error({ err: error }, 'configuration could not be applied');
      }
      throw error;
    }
  }
}
