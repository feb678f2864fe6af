import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LogConfig } from '../../src/core/config/types.ts';
import { createLogger } from '../../src/core/log.ts';
import { createLogLimit } from '../../src/core/log-limit.ts';
import { createRedactor } from '../../src/core/redact.ts';
import { recordingLogger } from '../support/logger.ts';

const SECRET = 'pa"ss\\wörd';

function logger(config: Partial<LogConfig> = {}, isTTY = false) {
  const lines: string[] = [];
  const out = { isTTY, write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'info', format: 'json', ...config }, createRedactor([SECRET]), out);
  return { log, lines, parsed: () => lines.map(line => JSON.parse(line)) };
}

describe('a JSON line', () => {
  it('is one line with level, time, message and fields', () => {
    const { log, lines, parsed } = logger();
    log.warn({ output: 'slack', attempt: 2 }, 'delivery\nfailed');
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
    expect(parsed()[0]).toMatchObject({
      level: 'warn',
      output: 'slack',
      attempt: 2,
      message: 'delivery\nfailed',
    });
    expect(Date.parse(parsed()[0].time)).not.toBeNaN();
  });

  it.each(['json', 'pretty'] as const)(
    'as %s has no control character and no mark that could pass for another line',
    format => {
      const { log, lines } = logger({ format });
      const hostile = '\u009b2J\u0085\u2028\u2029\u202e\u007f\u001b[2J\n{}';
      log.warn({ rule: hostile, deep: [{ [hostile]: hostile }] }, 'refused: \u009b2J\u2028');
      const text = lines.join('');
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
      expect(text).toContain('\\u009b2J\\u0085\\u2028');
      if (format === 'json') expect(JSON.parse(text)).toMatchObject({ rule: hostile });
    },
  );

  it('masks secrets in the message, in fields, and in errors with their causes', () => {
    const { log, lines, parsed } = logger();
    const cause = new TypeError(`because of ${SECRET}`);
    log.error(
      { err: new Error(`no ${SECRET}`, { cause }), url: `http://u:hunter2@h/`, deep: [{ a: SECRET }] },
      `${SECRET}!`,
    );
    expect(parsed()[0]).toMatchObject({
      message: '***!',
      deep: [{ a: '***' }],
      url: 'http://***@h/',
      err: { type: 'Error', message: 'no ***', cause: { type: 'TypeError', message: 'because of ***' } },
    });
    expect(lines[0]).not.toMatch(/wörd|hunter2/);
  });

  it('shows of an error no more than it has to', () => {
    const { log, parsed } = logger();
    const error = Object.assign(new Error('refused'), {
      code: 'ECONNREFUSED',
      reason: 'network',
      config: { headers: { authorization: 'Bearer x' } },
    });
    log.error({ error }, 'failed');
    expect(Object.keys(parsed()[0].error).sort()).toEqual(['code', 'message', 'reason', 'stack', 'type']);
  });

  it('survives errors that cause themselves and values that hold themselves', () => {
    const { log, parsed } = logger();
    const error = new Error('round');
    error.cause = error;
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    log.error({ err: error, loop }, 'failed');
    expect(parsed()[0].message).toBe('failed');
  });
});

describe('the level', () => {
  it('holds back what is below, and can change for all loggers of one root', () => {
    const { log, parsed } = logger({ level: 'warn' });
    const child = log.child({ output: 'slack' });
    child.info({}, 'quiet');
    log.configure({ level: 'debug', format: 'json' });
    child.debug({ n: 1 }, 'loud');
    expect(parsed()).toMatchObject([{ level: 'debug', output: 'slack', n: 1, message: 'loud' }]);
  });

  it('comes with new secrets after a reload', () => {
    const { log, parsed } = logger();
    const child = log.child({});
    log.setRedactor(createRedactor(['fresh-secret']));
    child.info({ a: 'fresh-secret' }, 'x');
    expect(parsed()[0].a).toBe('***');
  });
});

describe('the format', () => {
  it('is for people on a terminal, secrets masked as well', () => {
    const { log, lines } = logger({ format: 'auto' }, true);
    log.info({ output: 'slack', key: SECRET }, 'output opened');
    const text = lines.join('');
    expect(() => JSON.parse(text)).toThrow();
    expect(text).toContain('output opened');
    expect(text).toContain('***');
    expect(text).not.toContain('wörd');
  });

  it('changes for all loggers of one root', () => {
    const { log, lines } = logger();
    const child = log.child({ output: 'slack' });
    log.configure({ level: 'info', format: 'pretty' });
    child.info({ key: SECRET }, 'for people');
    log.configure({ level: 'info', format: 'json' });
    child.info({}, 'for machines');
    expect(() => JSON.parse(lines[0]!)).toThrow();
    expect(lines[0]).toContain('for people');
    expect(lines[0]).not.toContain('wörd');
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ output: 'slack', message: 'for machines' });
  });

  it('is JSON where nobody reads along', () => {
    const { log, parsed } = logger({ format: 'auto' });
    log.info({}, 'up');
    expect(parsed()[0].message).toBe('up');
  });
});

it.skipIf(!existsSync('/dev/full'))('a disk that is full costs no memory', () => {
  const script = `
    import { createLogger } from ${JSON.stringify(new URL('../../src/core/log.ts', import.meta.url))};
    const log = createLogger({ level: 'info', format: 'json' }, text => text);
    const before = process.memoryUsage.rss();
    for (let lines = 0; lines < 100_000; lines++) log.info({}, 'x'.repeat(1000));
    console.log((process.memoryUsage.rss() - before) / 2 ** 20);`;
  const args = ['--input-type=module', '--eval', script];
  const full = openSync('/dev/full', 'w');
  const { stdout } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', full] });
  closeSync(full);
  expect(Number.parseFloat(stdout.toString())).toBeLessThan(100);
});

describe('a limited warning', () => {
  it('is written once a minute for each key, with the number of those held back', () => {
    const log = recordingLogger();
    const clock = { ms: 0 };
    const limit = createLogLimit(log, { monotonic: () => clock.ms });
    for (let i = 0; i < 5; i++) limit.warn('a', { i }, 'text');
    limit.warn('b', {}, 'other');
    clock.ms = 59_999;
    limit.warn('a', {}, 'text');
    clock.ms = 60_000;
    limit.warn('a', { i: 9 }, 'text');
    limit.warn('a', {}, 'text');
    expect(log.lines.map(line => line.fields)).toEqual([{ i: 0 }, {}, { i: 9, suppressed: 5 }]);
  });
});
