import { describe, expect, test } from 'vitest';
import { cli, daemon, problem } from './support.ts';

describe('replay', () => {
  const argv = (url: string) => [
    'replay',
    '--url',
    url,
    '--output',
    'kafka',
    '--since',
    '2026-01-31',
    '--until',
    '2026-02-01',
  ];

  test('waits for the end and counts', async () => {
    const states = [
      { total: 3, done: 1, failed: 0 },
      { total: 3, done: 2, failed: 1 },
    ];
    const { url, asked } = await daemon({
      'POST /api/v1/replay': (_asked, response) => {
        response.statusCode = 202;
        return { queued: true };
      },
      'GET /api/v1/outputs': () => ({ items: [{ id: 'kafka', replay: states.shift() }] }),
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
    });
    const { code, out, err } = await cli(argv(url));
    expect(asked.find(({ method }) => method === 'POST')!.body).toEqual({
      output: 'kafka',
      since: Date.UTC(2026, 0, 31),
      until: Date.UTC(2026, 1, 1),
    });
    expect(err).toBe('1 of 3 alerts\n2 of 3 alerts, 1 given up\n');
    expect(out).toContain('the replay is over');
    expect(out).toContain('tiercel dead list');
    expect(code).toBe(1);
  });

  test.each([
    { name: 'nothing was given up', newest: [7, 7], code: 0 },
    { name: 'an alert was', newest: [7, 8], code: 1 },
  ])('over before it could be looked at, $name: $code', async ({ newest, code }) => {
    const { url, asked } = await daemon({
      'POST /api/v1/replay': () => ({ queued: true }),
      'GET /api/v1/outputs': () => ({ items: [{ id: 'kafka' }] }),
      'GET /api/v1/dead-letters': () => ({ items: [{ id: newest.shift() }], total: 2 }),
    });
    const ended = await cli(argv(url));
    expect(ended.code).toBe(code);
    expect(ended.out.includes('tiercel dead list')).toBe(code === 1);
    expect(asked.filter(({ path }) => path === '/api/v1/dead-letters').map(({ query }) => query)).toEqual([
      { output: 'kafka', limit: '1' },
      { output: 'kafka', limit: '1' },
    ]);
  });

  test.each([
    { name: 'the log cannot be read', ends: [{ id: 'kafka', replayError: 'the log cannot be read' }] },
    { name: 'the output was removed', ends: [] },
  ])('that ends before all was sent is a failure: $name', async ({ name, ends }) => {
    const states = [[{ id: 'kafka', replay: { total: 3, done: 1, failed: 0 } }]];
    const { url } = await daemon({
      'POST /api/v1/replay': () => ({ queued: true }),
      'GET /api/v1/outputs': () => ({ items: states.shift() ?? ends }),
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
    });
    const { code, out, err } = await cli(argv(url));
    expect(err).toBe(`1 of 3 alerts\ntiercel: the replay ended before all was sent: ${name}\n`);
    expect(out).toBe('');
    expect(code).toBe(1);
  });

  test('an unknown output', async () => {
    const { url } = await daemon({
      'GET /api/v1/dead-letters': () => ({ items: [], total: 0 }),
      'POST /api/v1/replay': (_asked, response) => problem(response, 404, 'there is no output called kafka'),
    });
    const { code, err } = await cli(argv(url));
    expect(code).toBe(1);
    expect(err).toContain('there is no output called kafka');
  });

  test.each([
    { argv: ['--since', '1h', '--until', '2h'], says: '--until lies before --since' },
    { argv: ['--since', '2999-01-01'], says: '--since lies in the future' },
  ])('$argv is refused with 2', async ({ argv, says }) => {
    const { code, err } = await cli(['replay', '--output', 'x', ...argv]);
    expect(code).toBe(2);
    expect(err).toContain(says);
  });
});
