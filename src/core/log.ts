/** The daemon's own log: JSON lines, or lines for people on a terminal, with every secret masked. */
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import type { LogConfig } from './config/types.ts';
import type { Logger } from './contract.ts';
import { visibleJson } from './visible.ts';

/** A logger that lends itself to parts of the daemon. */
export interface RootLogger extends Logger {
  /** A logger whose lines all carry these fields too. */
  child(fields: Record<string, unknown>): RootLogger;
  /** Changes level and format of this logger, the one it came from and all others that did. */
  configure(config: LogConfig): void;
  /** Uses another function to mask secrets, likewise everywhere: a new configuration has new secrets. */
  setRedactor(redact: (text: string) => string): void;
}

/** Where lines go. */
export interface LogDestination extends DestinationStream {
  /** Whether a person reads it. */
  isTTY?: boolean;
}

const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;
const MAX_CAUSES = 5;
/** Of lines that cannot be written, as the disk behind standard error is full; newer ones are dropped. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** What all loggers of one root share. */
interface Shared {
  threshold: number;
  redact(text: string): string;
  target: DestinationStream;
  configure(config: LogConfig): void;
}

/**
 * Builds the logger. Errors in fields are written with their causes, but only name, message, stack and code: errors
 * of vendor packages carry whole requests.
 * @param redact masks secrets; it is given each line as JSON, so it has to know their JSON-escaped form
 * @param out standard error when absent: standard output belongs to the console output
 */
export function createLogger(
  config: LogConfig,
  redact: (text: string) => string,
  out: LogDestination = standardError(),
): RootLogger {
  const shared: Shared = {
    threshold: LEVELS[config.level],
    redact,
    target: targetOf(config, out),
    configure(changed) {
      shared.threshold = LEVELS[changed.level];
      shared.target = targetOf(changed, out);
    },
  };
  const masked = { write: (line: string) => shared.target.write(visibleJson(shared.redact(line))) };
  const logger = pino(
    {
      level: 'debug',
      base: undefined,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      messageKey: 'message',
      serializers: { err: describeError, error: describeError },
    },
    masked,
  );
  return wrap(logger, shared);
}

function wrap(logger: PinoLogger, shared: Shared): RootLogger {
  const at =
    (level: keyof typeof LEVELS): Logger['info'] =>
    (fields, message) => {
      if (LEVELS[level] >= shared.threshold) logger[level](fields, message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: fields => wrap(logger.child(fields), shared),
    configure: shared.configure,
    setRedactor(redact) {
      shared.redact = redact;
    },
  };
}

/** Written at once: lines of a process that is killed are those that matter most. */
function standardError(): LogDestination {
  const stream = destination({ fd: 2, sync: true, maxLength: MAX_UNWRITTEN_BYTES });
  // A reader that has gone away is no reason to stop delivering.
  stream.on('error', () => {});
  return { write: line => stream.write(line), isTTY: process.stderr.isTTY };
}

function targetOf({ format }: LogConfig, out: LogDestination): DestinationStream {
  const isPretty = format === 'pretty' || (format === 'auto' && out.isTTY === true);
  return isPretty ? prettyStream(out) : out;
}

/** pino-pretty in this process; loaded only when somebody reads along. */
function prettyStream(out: LogDestination): DestinationStream {
  const pretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  return pretty({
    colorize: out.isTTY === true && !process.env.NO_COLOR,
    translateTime: 'SYS:HH:MM:ss.l',
    messageKey: 'message',
    destination: new Writable({
      write(chunk, _encoding, done) {
        // Here what JSON had escaped stands as it is again.
        out.write(visibleJson(String(chunk)));
        done();
      },
    }),
    sync: true,
  });
}

/** An error as fields; anything else as it is. */
function describeError(value: unknown, causes = MAX_CAUSES): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const { code, reason } = value as { code?: unknown; reason?: unknown };
  return {
    type: name,
    message,
    ...(isPlain(code) && { code }),
    ...(isPlain(reason) && { reason }),
    stack,
    ...(cause !== undefined && causes > 0 && { cause: describeError(cause, causes - 1) }),
  };
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}
