import { styleText } from 'node:util';
import { z } from 'zod';
import { type Alert, defineOutput } from '../core/contract.ts';
import { RetriableError } from '../core/errors.ts';
import { flag, oneOf } from '../core/keys.ts';
import type { Priority } from '../core/priority.ts';

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

// Control characters would let an alert rewrite the terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** One line for a person: time, priority, rule, text, host and tags. */
export function toLine(alert: Alert, color: boolean): string {
  const paint = (style: Style, text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const about = [alert.hostname, ...alert.tags].filter(Boolean).join(' ');
  const clean = (text: string) => text.replace(CONTROL, ' ');
  return (
    `${paint('dim', alert.time)} ${paint(STYLES[alert.priority], alert.priority.padEnd(13))} ` +
    `${paint('bold', clean(alert.rule))}  ${clean(alert.output)}${about && paint('dim', `  ${clean(about)}`)}`
  );
}

export default defineOutput({
  name: 'console',
  title: 'Console',
  category: 'other',
  docs: 'Prints alerts on the standard output; on by itself when no other output is configured.',
  keys: z.object({
    enabled: flag('Turns the output on.'),
    format: oneOf(
      '`pretty` for people, `json` for a line of JSON per alert; `auto` chooses by the terminal.',
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
      send: alerts =>
        new Promise((resolve, reject) => {
          const lines = alerts.map(alert => (json ? alert.json : toLine(alert, color)));
          process.stdout.write(`${lines.join('\n')}\n`, error =>
            error
              ? reject(
                  new RetriableError('the standard output does not take it', {
                    reason: 'other',
                    cause: error,
                  }),
                )
              : resolve(),
          );
        }),
    };
  },
  example: { enabled: true },
});
