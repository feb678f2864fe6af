import { expect, test, vi } from 'vitest';
import { Acks } from '../../../../src/core/spool/jetstream/acks.ts';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';

test('answers about a new stream outlive a confirmation that began with the old one', async () => {
  vi.useFakeTimers();
  const connect = () => {
    const sent: string[] = [];
    const flushed = Promise.withResolvers<void>();
    const connection = { publish: (reply: string) => sent.push(reply), flush: () => flushed.promise };
    return { sent, flushed, session: { connection } as unknown as Session };
  };
  const [before, after] = [connect(), connect()];
  const acks = new Acks();
  acks.up(before.session);
  acks.ack('old');
  await vi.advanceTimersByTimeAsync(100);
  acks.forget();
  acks.ack('new');
  before.flushed.resolve();
  await vi.advanceTimersByTimeAsync(0);
  acks.down();
  acks.up(after.session);
  expect(after.sent).toEqual(['new']);
  vi.useRealTimers();
});
