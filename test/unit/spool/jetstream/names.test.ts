import { describe, expect, test } from 'vitest';
import { fromToken, toToken } from '../../../../src/core/spool/jetstream/names.ts';

describe('names on the server', () => {
  test.each([
    ['slack', 'slack'],
    ['slack.soc', 'slack=soc'],
    ['web hook.a/b*>', 'web%20hook=a%2Fb%2A%3E'],
    ['naïve=1', 'na%C3%AFve%3D1'],
    ["!'()~", '%21%27%28%29%7E'],
  ])('%s', (output, token) => {
    expect(toToken(output)).toBe(token);
    expect(token).not.toMatch(/[.*> /\\]/);
    expect(fromToken(token)).toBe(output);
  });

  test('a name that is none of ours stays as it is', () => expect(fromToken('%zz')).toBe('%zz'));
});
