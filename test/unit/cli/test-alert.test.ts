import { describe, expect, test } from 'vitest';
import { cli, daemon, problem } from './support.ts';

describe('test', () => {
  const outcomes = [
    { output: 'slack.soc', ok: true, durationMs: 120 },
    { output: 'webhook', ok: false, durationMs: 5000, error: 'timed out\u001b[2J' },
  ];

  test('one line for each output; 1 when one fails', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: outcomes }) });
    const { code, out } = await cli(['test', '--url', url]);
    expect(code).toBe(1);
    expect(out).toMatch(/slack\.soc\s+ok\s+120ms/);
    expect(out).toMatch(/webhook\s+FAIL\s+5s\s+timed out\\x1b\[2J/);
    expect(asked[0]!.body).toEqual({});
  });

  test('one output alone; 0 when it works', async () => {
    const { url, asked } = await daemon({ 'POST /api/v1/test': () => ({ items: [outcomes[0]] }) });
    const { code, out } = await cli(['test', '--url', url, '--output', 'slack.soc', '--json']);
    expect(code).toBe(0);
    expect(asked[0]!.body).toEqual({ output: 'slack.soc' });
    expect(JSON.parse(out)).toEqual([outcomes[0]]);
  });

  test('an output that the daemon does not have: 1, in its words', async () => {
    const { url } = await daemon({
      'POST /api/v1/test': (_asked, response) => problem(response, 404, "no output is called 'slakc'"),
    });
    const { code, out, err } = await cli(['test', '--url', url, '--output', 'slakc']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain("no output is called 'slakc'");
  });

  test('none is turned on', async () => {
    const { url } = await daemon({ 'POST /api/v1/test': () => ({ items: [] }) });
    expect(await cli(['test', '--url', url])).toMatchObject({ code: 0, out: 'no output is turned on\n' });
  });
});
