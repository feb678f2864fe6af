import { describe, expect, test } from 'vitest';
import { PermanentError, RetriableError } from '../../../../src/core/errors.ts';
import { settle, untilAborted } from '../../../../src/outputs/_kit/settle.ts';

const passing = (reason: 'network' | 'auth' = 'network') => new RetriableError('later', { reason });
const final = () => new PermanentError('never', { reason: 'payload' });

describe('settle', () => {
  test('nothing failed', () => expect(settle(2, new Map())).toBeUndefined());

  test('a single alert fails with its own error', () => {
    const error = final();
    expect(() => settle(1, new Map([[0, error]]))).toThrow(error);
  });

  test('one reason for all is a failure of the target', () => {
    const error = passing();
    expect(() =>
      settle(
        2,
        new Map([
          [0, error],
          [1, passing()],
        ]),
      ),
    ).toThrow(error);
  });

  test.each<[string, (RetriableError | PermanentError)[]]>([
    ['some failed', [passing()]],
    ['different reasons', [passing(), passing('auth')]],
    ['one of them for good', [passing(), final()]],
    ['all for good', [final(), final()]],
  ])('%s: each alert has its own outcome', (_, errors) => {
    const failed = new Map(errors.map((error, index) => [index, error]));
    expect(() => settle(2, failed)).toThrow(expect.objectContaining({ failed }));
  });
});

describe('untilAborted', () => {
  test('passes on what the work gives', async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(untilAborted(Promise.reject(final()), signal)).rejects.toThrow('never');
  });

  test.each([true, false])('ends with the signal, aborted before: %s', async before => {
    const controller = new AbortController();
    if (before) controller.abort();
    const waiting = untilAborted(new Promise(() => undefined), controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'RetriableError', reason: 'timeout' });
  });
});
