import { describe, expect, test } from 'vitest';
import type { HttpResponse } from '../../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { retryAfterMs, verdict } from '../../../src/core/http/verdict.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const answer = (status: number, body = '', headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status,
  headers,
  body,
});
const thrown = (response: HttpResponse, secrets: string[] = []) => {
  try {
    verdict(response, NOW, secrets);
  } catch (error) {
    return error as RetriableError | PermanentError;
  }
  return undefined;
};

describe('verdict', () => {
  test.each([
    [408, 'timeout'],
    [425, 'other'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'server_error'],
    [504, 'server_error'],
    [599, 'server_error'],
  ])('%i may be accepted later', (status, reason) => {
    const error = thrown(answer(status));
    expect(error).toBeInstanceOf(RetriableError);
    expect(error!.reason).toBe(reason);
  });

  test.each([
    [301, 'client_error'],
    [302, 'client_error'],
    [304, 'client_error'],
    [400, 'client_error'],
    [401, 'auth'],
    [403, 'auth'],
    [404, 'client_error'],
    [413, 'client_error'],
    [422, 'client_error'],
    [501, 'server_error'],
  ])('%i is final', (status, reason) => {
    const error = thrown(answer(status));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error!.reason).toBe(reason);
  });

  test('says what was answered, in one short line', () => {
    expect(thrown(answer(400, '{"error":\n  "invalid_blocks"}'))!.message).toBe(
      'answered 400 Bad Request: {"error": "invalid_blocks"}',
    );
    const long = thrown(answer(500, '😀'.repeat(5000)))!.message;
    expect(long.length).toBeLessThan(260);
    expect(long.isWellFormed()).toBe(true);
  });

  test('says where an address has moved to, but not its path', () => {
    const moved = answer(301, 'gone', { location: 'https://new.example/services/T0/B0/secret' });
    expect(thrown(moved)!.message).toBe(
      'answered 301 Moved Permanently: the address has moved to new.example',
    );
    expect(thrown(answer(302, '', { location: '/relative/secret' }))!.message).toBe(
      'answered 302 Found: the address has moved',
    );
  });

  test('masks what the answer repeats of the request and of the configuration', () => {
    const response = {
      ...answer(404, 'no route for /services/T0/B0/wordofpassage?x=1 with key k-12345'),
      secrets: () => ['/services/T0/B0/wordofpassage?x=1', '/services/T0/B0/wordofpassage'],
    };
    const { message } = thrown(response, ['k-12345'])!;
    expect(message).toContain('404');
    expect(message).not.toMatch(/wordofpassage|k-12345/);
  });

  test('cuts URLs in an answer down to their host', () => {
    expect(thrown(answer(400, 'see https://user:pw@docs.example/x?token=1 for more'))!.message).toBe(
      'answered 400 Bad Request: see https://docs.example/… for more',
    );
  });
});

describe('retryAfterMs', () => {
  test.each([
    ['7', 7000],
    [' 0 ', 0],
    ['1.5', 1500],
    ['Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
    ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
    ['Saturday, 31-Jan-26 12:00:30 GMT', 30_000],
    ['Sat Jan 31 12:00:30 2026', 30_000],
    ['soon', undefined],
    ['-1', undefined],
    ['+5', undefined],
    ['10,10', undefined],
    ['60;', undefined],
    ['2026-01-31T12:00:30Z', undefined],
    ['-5x', undefined],
    ['', undefined],
  ])('%j is %s', (value, expected) => {
    expect(retryAfterMs(answer(503, '', { 'retry-after': value }), NOW)).toBe(expected);
  });

  test.each([
    [['120', '120'], 120_000],
    [['5', 'Sat, 31 Jan 2026 12:00:30 GMT'], 30_000],
    [['soon', '7'], 7000],
    [['soon', 'later'], undefined],
  ])('of several, %j, is the longest: %s', (values, expected) => {
    expect(retryAfterMs(answer(503, '', { 'retry-after': values }), NOW)).toBe(expected);
  });

  test.each([
    ['an hour behind ours', 'Sat, 31 Jan 2026 11:00:00 GMT', 'Sat, 31 Jan 2026 11:00:30 GMT', 30_000],
    ['an hour ahead of ours', 'Sat, 31 Jan 2026 13:00:00 GMT', 'Sat, 31 Jan 2026 13:00:30 GMT', 30_000],
    ['that cannot be read', 'now', 'Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
    ['of no day', 'Sat, 99 Jan 2026 12:00:00 GMT', 'Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
  ])('a date is taken by the clock of the answer: one %s', (_name, date, until, expected) => {
    expect(retryAfterMs(answer(503, '', { date, 'retry-after': until }), NOW)).toBe(expected);
  });

  test('is read from the body of a 429 where there is no header', () => {
    expect(retryAfterMs(answer(429, '{"message":"slow","retry_after": 0.65}'), NOW)).toBe(650);
    expect(retryAfterMs(answer(429, '{"ok":false,"parameters":{"retry_after":12}}'), NOW)).toBe(12_000);
    expect(retryAfterMs(answer(400, '{"retry_after":12}'), NOW)).toBeUndefined();
    expect(retryAfterMs(answer(429, '{"retry_after":12}', { 'retry-after': '3' }), NOW)).toBe(3000);
  });
});
