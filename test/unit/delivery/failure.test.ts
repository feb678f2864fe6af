import { describe, expect, test } from 'vitest';
import { DefectError, toFailure } from '../../../src/core/delivery/failure.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';

const coded = (code: string, message = '') => Object.assign(new Error(message), { code });

describe('toFailure', () => {
  test('leaves our own errors as they are', () => {
    const error = new RetriableError('busy', { reason: 'rate_limited', retryAfterMs: 5 });
    expect(toFailure(error)).toBe(error);
  });

  test('keeps kind, reason and pause when it has to mask the text', () => {
    const masked = toFailure(
      new RetriableError('no answer from https://user:pw@host.example/secret/path?key=1', {
        reason: 'network',
        retryAfterMs: 7,
      }),
    );
    expect(masked).toBeInstanceOf(RetriableError);
    expect(masked).toMatchObject({
      message: 'no answer from https://host.example/…',
      reason: 'network',
      retryAfterMs: 7,
    });
    const refused = toFailure(new PermanentError('bad token abc', { reason: 'auth' }), text =>
      text.replace('abc', '***'),
    );
    expect(refused).toBeInstanceOf(PermanentError);
    expect(refused).toMatchObject({ message: 'bad token ***', reason: 'auth' });
  });

  test.each([
    [coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'), 'network'],
    [coded('ENOTFOUND', 'getaddrinfo ENOTFOUND x'), 'network'],
    [new AggregateError([], ''), 'other'],
    [Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }), 'network'],
    [coded('ETIMEDOUT'), 'timeout'],
    [new DOMException('too slow', 'TimeoutError'), 'timeout'],
    [new DOMException('gone', 'AbortError'), 'timeout'],
    [new TypeError('x is not a function'), 'other'],
    ['a text', 'other'],
    [undefined, 'other'],
    [null, 'other'],
    [{ odd: true }, 'other'],
  ])('%s is %s', (thrown, reason) => {
    expect(toFailure(thrown).reason).toBe(reason);
    expect(toFailure(thrown).message).not.toBe('');
  });

  test('calls a defect what is nobody’s network', () => {
    expect(toFailure(new TypeError('x is not a function'))).toBeInstanceOf(DefectError);
    expect(toFailure(coded('ECONNRESET'))).not.toBeInstanceOf(DefectError);
  });
});
