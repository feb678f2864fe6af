/** The composition root: configuration → log → outputs → server, and the way back down on stop. */
import { setTimeout as pause } from 'node:timers/promises';
import { readConfigToRun } from './configuration.ts';
import { sealAlert } from './core/alert/alert.ts';
import { testDraft } from './core/alert/test-alert.ts';
import type { Config } from './core/config/types.ts';
import { createEnricher } from './core/enrich.ts';
import { formatProblem } from './core/errors.ts';
import { Fleet } from './core/fleet.ts';
import { openOutput, systemClock } from './core/host.ts';
import type { Backend, Readiness, ReplayOutcome, StatusReport } from './core/http-server/backend.ts';
import { createServer, type HttpServer, type Listening } from './core/http-server/server.ts';
import { createLogger, type RootLogger } from './core/log.ts';
import { createLogLimit, type LogLimit } from './core/log-limit.ts';
import { createMetrics, type Metrics } from './core/metrics.ts';
import { Pipeline } from './core/pipeline.ts';
import { readinessOf } from './core/readiness.ts';
import { createRedactor } from './core/redact.ts';
import type { DeadLetterFilter, ReadRange, Spool } from './core/spool/contract.ts';
import { openSpool } from './core/spool/open.ts';
import { Reloads } from './reloads.ts';
import { version } from './version.ts';

type Env = Record<string, string | undefined>;

/** How long a reload waits for outputs to finish what they have in flight. */
const RELOAD_PATIENCE_MS = 1_000;

export interface DaemonOptions {
  /** Path of the configuration file; absent: the environment alone. */
  configFile?: string;
  env: Env;
}

/** A daemon that listens. */
export interface Daemon {
  readonly listening: Listening;
  readonly log: RootLogger;
  /** Reads the configuration again. Throws ConfigError when it is refused; the old one then stays in use. */
  reload(): Promise<void>;
  /** Logs and counts an error that nothing was prepared for. */
  defect(error: unknown): void;
  /** Stops taking, finishes what is in flight within the grace time, keeps the rest. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts everything.
 * @throws ConfigError when the configuration cannot be used; SpoolLockedError when another process owns the data
 * folder; Error with a sentence when the port cannot be bound
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const running = new Running(options, readConfigToRun(options));
  await running.start();
  return running;
}

class Running implements Daemon, Backend {
  readonly log: RootLogger;
  readonly #options: DaemonOptions;
  readonly #metrics: Metrics;
  readonly #limit: LogLimit;
  readonly #startedAt = systemClock.now();
  readonly #reloads: Reloads;
  /** The spool's settings that are in use, whatever a reload says. */
  readonly #spoolSettings: string;
  #config: Config;
  /** To be masked: those of the configuration, and of former ones that outputs may still go by. */
  #secrets: readonly string[];
  #redact: (text: string) => string;
  #spool!: Spool;
  #fleet!: Fleet;
  #pipeline!: Pipeline;
  #server!: HttpServer;
  #listening!: Listening;
  /** The outputs of the first configuration are there; others come by a reload. */
  #started = false;
  #stopping: Promise<void> | undefined;

  constructor(options: DaemonOptions, config: Config) {
    this.#options = options;
    this.#config = config;
    this.#spoolSettings = JSON.stringify(config.spool);
    this.#secrets = config.secrets;
    this.#redact = createRedactor(this.#secrets);
    this.log = createLogger(config.log, this.#redact);
    this.#limit = createLogLimit(this.log, systemClock);
    this.#metrics = createMetrics(config, { version, log: this.log });
    this.#reloads = new Reloads({
      read: () => readConfigToRun(options),
      apply: changed => this.#apply(changed),
      log: this.log,
      metrics: this.#metrics,
    });
  }

  get listening(): Listening {
    return this.#listening;
  }

  async start(): Promise<void> {
    // A change of the files while all this starts is seen, and taken up once it has started.
    const { promise: started, resolve } = Promise.withResolvers<void>();
    await this.#reloads.watch(this.#config.files, started);
    try {
      await this.#start();
    } catch (error) {
      void this.#reloads.close();
      throw error;
    } finally {
      resolve();
    }
  }

  async #start(): Promise<void> {
    this.#tellWarnings();
    this.#spool = await openSpool(this.#config.spool, { clock: systemClock, log: this.log });
    try {
      this.#fleet = new Fleet({
        spool: this.#spool,
        clock: systemClock,
        log: this.log,
        observe: output => this.#metrics.output(output),
        mask: text => this.#redact(text),
        patienceMs: RELOAD_PATIENCE_MS,
        open: instance =>
          openOutput(instance, {
            clock: systemClock,
            log: this.log,
            env: this.#options.env,
            outputs: () => this.#config.outputs.map(({ definition }) => definition.name),
            customFields: () => Object.keys(this.#config.enrich.customFields),
            templatedFields: () => Object.keys(this.#config.enrich.templatedFields),
            counts: () => this.#metrics.counts(),
            countedBefore: () => (this.#started ? this.#metrics.counts() : []),
            sent: (output, ...sent) => this.#metrics.output(output).tried(...sent),
            templateFailed: (output, error) => this.#templateFailed(output, error),
          }),
      });
      this.#metrics.setSources({ outputs: () => this.#fleet.status(), spool: () => this.#spool.stats() });
      this.#pipeline = new Pipeline({ spool: this.#spool, ...this.#stages() });
      this.#server = createServer({
        config: this.#config.server,
        backend: this,
        observer: this.#metrics,
        log: this.log,
        version,
      });
      this.#listening = await this.#server.listen();
    } catch (error) {
      await this.#spool.close();
      throw error;
    }
    const { outputs, shutdownGraceMs } = this.#config;
    const { started } = await this.#fleet.reconcile(outputs, shutdownGraceMs);
    this.#started = true;
    const { address, port, plainPort } = this.#listening;
    this.log.info({ version, address, port, plainPort, outputs: started }, 'listening');
  }

  // Backend

  take(drafts: Parameters<Backend['take']>[0]) {
    return this.#pipeline.take(drafts);
  }

  entries(range: ReadRange & { follow?: boolean }, signal: AbortSignal) {
    return this.#pipeline.entries(range, signal);
  }

  metrics() {
    return this.#metrics.text();
  }

  maskedConfig() {
    return this.#config.masked;
  }

  deadLetters() {
    return this.#spool.deadLetters;
  }

  readiness(): Readiness {
    return readinessOf({
      isStopping: this.#stopping !== undefined,
      spool: this.#spool.stats(),
      reloadError: this.#reloads.report.lastError,
      outputs: this.#fleet.status(),
    });
  }

  status(): StatusReport {
    return {
      version,
      startedAt: this.#startedAt,
      readiness: this.readiness(),
      spool: this.#spool.stats(),
      outputs: this.#fleet.status(),
      reloads: { ...this.#reloads.report },
    };
  }

  replayDeadLetters(filter: DeadLetterFilter): Promise<ReplayOutcome> {
    return this.#fleet.replayLetters(filter);
  }

  async replayLog(output: string, range: ReadRange): Promise<void> {
    this.#fleet.replayLog(output, range);
  }

  test(output: string | undefined, signal: AbortSignal) {
    const draft = testDraft(systemClock.now());
    this.#stages().enrich(draft);
    return this.#fleet.test(sealAlert(draft), output, signal);
  }

  reload(): Promise<void> {
    return this.#reloads.reload();
  }

  defect(error: unknown): void {
    this.#metrics.defect();
    this.log.error({ err: error }, 'unexpected error');
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Takes up a changed configuration, but for what wants a restart. */
  async #apply(config: Config): Promise<void> {
    this.#secrets = [...this.#secrets, ...config.secrets];
    this.#redact = createRedactor(this.#secrets);
    this.log.setRedactor(this.#redact);
    const needRestart = this.#server.reconfigure(config.server);
    if (JSON.stringify(config.spool) !== this.#spoolSettings) needRestart.push('spool');
    this.#config = config;
    this.#tellWarnings();
    this.log.configure(config.log);
    this.#metrics.configure(config);
    this.#pipeline.reconfigure(this.#stages());
    const { outputs, shutdownGraceMs: graceMs } = config;
    const { started, stopped, waiting } = await this.#fleet.reconcile(outputs, graceMs);
    // The redactor keeps those of the former configuration until the next reload: errors may come late.
    if (waiting.length === 0) this.#secrets = config.secrets;
    else this.log.warn({ outputs: waiting, graceMs }, 'outputs still finish what they have in flight');
    if (needRestart.length > 0) {
      this.log.warn({ settings: needRestart }, 'changed settings that want a restart');
    }
    this.log.info({ started, stopped }, 'configuration reloaded');
  }

  async #stop(): Promise<void> {
    const graceMs = this.#config.shutdownGraceMs;
    const deadline = performance.now() + graceMs;
    this.log.info({ graceMs }, 'stopping');
    const reloaded = this.#reloads.close();
    const closed = this.#server.close(graceMs);
    // A sender that is slow must not leave the outputs without time for what they have in flight.
    await Promise.race([closed, pause(graceMs / 2, undefined, { ref: false })]);
    await this.#fleet.stop(Math.max(0, deadline - performance.now()));
    await closed;
    // With the fleet, a reload that was under way has come to its end.
    await reloaded;
    await this.#spool.close();
    this.log.info({}, 'stopped');
  }

  #stages() {
    return {
      enrich: createEnricher(this.#config.enrich, {
        log: this.log,
        clock: systemClock,
        templateFailed: field => this.#metrics.templateFailed(field),
      }),
      taken: (alert: Parameters<Metrics['event']>[0]) => this.#metrics.event(alert),
    };
  }

  #templateFailed(output: string, error: unknown): void {
    this.#metrics.templateFailed(output);
    const { message } = error as Error;
    this.#limit.warn(
      `template ${output}`,
      { output, error: message },
      'template failed, the alert goes out without what it gives',
    );
  }

  #tellWarnings(): void {
    if (this.#config.outputs.length === 0) {
      this.log.warn({}, 'no output is turned on: alerts are kept in the log and go nowhere');
    }
    for (const problem of this.#config.warnings) this.log.warn({}, formatProblem(problem));
  }
}
