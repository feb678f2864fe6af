import { styleText } from 'node:util';
import { z } from 'zod';
import { type Alert, defineOutput } from '../core/contract.ts';
import { RetriableError } from '../core/errors.ts';
import { flag, oneOf } from '../core/keys.ts';
import type { Priority } from '../core/priority.ts';
import { visible } from './_kit/visible.ts';

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

export default defineOutput({
  name: 'console',
  title: 'Console',
  category: 'other',
  docs: 'Prints alerts on the standard output; on by itself while there is neither a configuration file nor an output.',
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
