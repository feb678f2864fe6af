/** What a check of `tiercel doctor` comes to. */

/** `fail` keeps alerts from arriving; `warn` may, or loses something on the way; `skip` could not be looked at. */
export type Level = 'ok' | 'warn' | 'fail' | 'skip';

/** One line of the doctor. */
export interface Check {
  /** What was looked at: `configuration`, `daemon`, `output slack`, `falco http_output.url`. */
  name: string;
  level: Level;
  /** What was found. */
  message: string;
  /** What to do about it. */
  advice?: string;
}

export function ok(name: string, message: string): Check {
  return { name, level: 'ok', message };
}

export function warn(name: string, message: string, advice?: string): Check {
  return { name, level: 'warn', message, advice };
}

export function fail(name: string, message: string, advice?: string): Check {
  return { name, level: 'fail', message, advice };
}

export function skip(name: string, message: string): Check {
  return { name, level: 'skip', message };
}
