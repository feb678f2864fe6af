import { afterEach, expect, it, vi } from 'vitest';
import { Refusals } from '../../../src/core/http-server/refusals.ts';
import { recordingLogger } from '../../support/logger.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('one line a minute for each reason says how many more there were, whatever becomes of the clock', () => {
  vi.useFakeTimers();
  const log = recordingLogger();
  const refusals = new Refusals({ accepted() {}, refused() {} }, log);
  const refuse = () => refusals.noteConnection({ remoteAddress: '::1' }, 'timeout', 'too slow');
  for (let i = 0; i < 3; i++) refuse();
  refusals.noteConnection({ remoteAddress: '::1' }, 'unauthorized', 'who are you');
  expect(log.lines.map(({ message }) => message)).toEqual(['refused: too slow', 'refused: who are you']);
  vi.setSystemTime(Date.now() - 86_400_000);
  vi.advanceTimersByTime(60_000);
  refuse();
  refuse();
  expect(log.lines.slice(2)).toMatchObject([{ level: 'warn', fields: { reason: 'timeout', suppressed: 2 } }]);
});
