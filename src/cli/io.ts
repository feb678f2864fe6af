/** What a command writes to and reads from: handed in, so that commands can be run with plain values. */
import type { WriteStream } from 'node:tty';

/** The process's environment variables. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The terminal, or what stands for it. */
export interface Io {
  /** Writes results; resolves when they are written, or nobody reads them any more. */
  print(text: string): Promise<void>;
  /** Writes what is said about the work: errors, progress. */
  note(text: string): void;
  /** Whether results may carry colours. */
  colours: boolean;
  /** Characters in a line; undefined when results do not go to a terminal. */
  columns: number | undefined;
  /** Aborted when nobody reads the results any more: a command that goes on by itself has to end. */
  signal: AbortSignal;
}

/** A command's surroundings. */
export interface Context {
  io: Io;
  env: Env;
}

/** The process's own streams. Interrupting the process ends it: no command needs more. */
export function processIo(env: Env): Io {
  const { stdout, stderr } = process;
  const closed = new AbortController();
  // `tiercel tail | head`: the reader has seen enough, which is no failure. Other errors are for whoever has written.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') closed.abort();
  });
  // What is said beside the results changes no outcome when nobody reads it.
  stderr.on('error', () => {});
  return {
    print: text =>
      new Promise((resolve, reject) => {
        stdout.write(text, error => {
          if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') reject(error);
          else resolve();
        });
      }),
    note: text => void stderr.write(text),
    colours: wantsColours(stdout, env),
    columns: stdout.isTTY ? stdout.columns : undefined,
    signal: closed.signal,
  };
}

/** Colours only on a terminal, and not where NO_COLOR (https://no-color.org) is set. */
export function wantsColours(stream: Pick<WriteStream, 'isTTY'>, env: Env): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
