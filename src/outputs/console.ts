import { styleText } from 'node:util';
import { z } from 'zod';
import type { Priority } from '../core/alert/priority.ts';
import { type Alert, defineOutput } from '../core/contract.ts';
import { RetriableError } from '../core/errors.ts';
import { flag, oneOf } from '../core/keys.ts';
import { visible } from '../core/visible.ts';

type Style = Parameters<typeof styleText>[0];

const STYLES: Record<Priority, Style> = {
  Emergency: ['bold', 'bgRed', 'white'],
  Alert: ['bold', 'red'],
  Critical: ['bold', 'red'],
  Error: 'red',
  Warning: 'yellow',
  Notice: 'cyan',
  Informational: 'blue',
  Debug: 'gray',
};

/** One line for a person: time, priority, rule, text, host and tags. */
export function toLine(alert: Alert, color: boolean): string {
  const paint = (style: Style, text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const about = [alert.hostname, ...alert.tags].filter(Boolean).join(' ');
  return (
    `${paint('dim', alert.time)} ${paint(STYLES[alert.priority], alert.priority.padEnd(13))} ` +
    `${paint('bold', visible(alert.rule))}  ${visible(alert.output)}${about && paint('dim', `  ${visible(about)}`)}`
  );
}

/** Every failure is one to try again: after a new start, or with room on the disk, there is somebody to read what waited. */
function print(text: string): Promise<void> {
  const { stdout } = process;
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(new RetriableError(`the standard output ${why}`, { reason: 'other', cause }));
    // Each try would otherwise add to what the stream keeps in memory for a reader that does not read.
    if (stdout.writableNeedDrain) return fail('has not taken earlier lines yet');
    stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      if (!error) resolve();
      else if (error.code === 'EPIPE') fail('is closed: nobody reads it until the next start', error);
      else fail(`does not take it (${error.code ?? error.message})`, error);
    });
  });
}

export default defineOutput({
  name: 'console',
  title: 'Console',
  category: 'other',
  docs: 'Prints alerts on the standard output; on by itself while there is neither a configuration file nor an output. Once nobody reads it, alerts wait for the next start.',
  keys: z.object({
    enabled: flag('Turns the output on.'),
    format: oneOf(
      '`pretty`: a line for people, in colours on a terminal; `json`: a line of JSON per alert; `auto` is `pretty`.',
      ['auto', 'pretty', 'json'],
      'auto',
    ),
  }),
  enabled: config => config.enabled,
  concurrency: 1,
  batch: { items: 200, bytes: 1 << 20, waitMs: 0 },
  async open(config, _host) {
    const terminal = process.stdout.isTTY === true;
    const json = config.format === 'json';
    const color = terminal && !process.env.NO_COLOR;
    return {
      send: alerts => {
        const lines = alerts.map(alert => (json ? alert.json : toLine(alert, color)));
        return print(`${lines.join('\n')}\n`);
      },
    };
  },
  example: { enabled: true },
});
