import { describe, expect, test } from 'vitest';
import { alert, cli, daemon } from './support.ts';

describe('tail', () => {
  const line = (offset: number, text: string) =>
    `${text.replace('{', `{"offset":${offset},"appendedAt":1,"alert":{`)}}\n`;

  test('shows what comes, ends with 3 when the daemon goes', async () => {
    const { url, asked } = await daemon({
      'GET /api/v1/alerts': (_asked, response) => {
        // Cut in the middle of a line and of a character.
        const bytes = Buffer.from(
          `${JSON.stringify({ offset: 1, appendedAt: 1, alert: alert({ output: 'één' }) })}\n`,
        );
        const cut = bytes.indexOf('é') + 1;
        response.write(bytes.subarray(0, cut), () => response.end(bytes.subarray(cut)));
      },
    });
    const { code, out, err } = await cli(['tail', '--url', url]);
    expect(out).toContain('Critical');
    expect(out).toContain('Terminal shell in container');
    expect(out).toContain('één');
    expect(asked[0]!.query).toEqual({ limit: '10', follow: 'true' });
    expect(code).toBe(3);
    expect(err).toContain('ended the connection');
  });

  test('--json keeps every digit; interrupting it is no failure', async () => {
    const { url } = await daemon({
      'GET /api/v1/alerts': (_asked, response) => {
        response.write(line(7, JSON.stringify(alert()).replace('{}', '{"evt.time":1769860800123456789}')));
      },
    });
    const enough = new AbortController();
    const { code, out } = await cli(['tail', '--url', url, '--json'], {
      signal: enough.signal,
      onPrint: () => enough.abort(),
    });
    expect(out).toContain('"evt.time":1769860800123456789');
    expect(out.endsWith('}\n')).toBe(true);
    expect(code).toBe(0);
  });

  test('passes its filters on', async () => {
    const { url, asked } = await daemon({ 'GET /api/v1/alerts': () => ({ items: [] }) });
    const filters = ['--rule', 'A rule', '--priority', 'error', '--source', 'syscall', '--grep', 'shell'];
    await cli([
      'tail',
      '--url',
      url,
      '--no-follow',
      '-n',
      '3',
      '--since',
      '2026-01-31T12:00:00Z',
      ...filters,
    ]);
    expect(asked[0]!.query).toEqual({
      rule: 'A rule',
      priority: 'error',
      source: 'syscall',
      q: 'shell',
      since: '1769860800000',
      limit: '3',
    });
  });

  test('--no-follow goes through the pages and shows the oldest first', async () => {
    const page = (offset: number) => ({ offset, appendedAt: 1, alert: alert({ rule: `rule ${offset}` }) });
    const { url } = await daemon({
      'GET /api/v1/alerts': ({ query }) =>
        query.before === '2' ? { items: [page(1)] } : { items: [page(2), page(3)], before: 2 },
    });
    const { code, out } = await cli(['tail', '--url', url, '--no-follow', '--since', '1h', '--json']);
    expect(
      out
        .trim()
        .split('\n')
        .map(text => JSON.parse(text).rule),
    ).toEqual(['rule 1', 'rule 2', 'rule 3']);
    expect(code).toBe(0);
  });

  test('control characters of an alert do not reach the terminal', async () => {
    const output = 'a\u001b]0;owned\u0007b\u009b31m\u202e';
    const { url } = await daemon({
      'GET /api/v1/alerts': () => ({
        items: [{ offset: 1, appendedAt: 1, alert: alert({ output }) }],
      }),
    });
    const { out } = await cli(['tail', '--url', url, '--no-follow']);
    const { out: json } = await cli(['tail', '--url', url, '--no-follow', '--json']);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const shown of [out, json]) expect(shown).not.toMatch(/[\u001b\u0007\u009b\u202e]/);
    expect(out).toContain('owned');
    expect(JSON.parse(json).output).toBe(output);
  });

  test.each([
    ['--priority', 'high'],
    ['--since', 'yesterday'],
    ['-n', 'ten'],
    ['-n', '5000'],
    ['-n', '5', '--since', '1h'],
  ])('%s %s is refused with 2', async (...argv) => {
    const { code, err } = await cli(['tail', ...argv]);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });
});
