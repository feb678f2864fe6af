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
  acks.ack({ offset: 7, storedAt: 1, reply: 'old' });
  await vi.advanceTimersByTimeAsync(100);
  acks.forget(1);
  acks.ack({ offset: 7, storedAt: 2, reply: 'new' });
  before.flushed.resolve();
  await vi.advanceTimersByTimeAsync(0);
  acks.down();
  acks.up(after.session);
  expect(after.sent).toEqual(['new']);
  vi.useRealTimers();
});

test('answers about what the stream has lost are not sent again; those about what it has are', () => {
  const sent: [string, string][] = [];
  const publish = (reply: string, payload: Uint8Array) => sent.push([reply, Buffer.from(payload).toString()]);
  const session = { connection: { publish, flush: async () => undefined } } as unknown as Session;
  const acks = new Acks();
  acks.ack({ offset: 6, storedAt: 60, reply: 'r6' });
  acks.nak({ offset: 7, storedAt: 70, reply: 'r7' });
  acks.ack({ offset: 8, storedAt: 80, reply: 'r8' });
  acks.term({ offset: 9, storedAt: 90, reply: 'r9' });
  acks.ack({ offset: -1, storedAt: 20, reply: undefined });
  expect(acks.open.map(({ offset, storedAt }) => [offset, storedAt])).toEqual([
    [6, 60],
    [7, 70],
    [8, 80],
    [9, 90],
  ]);
  acks.forget(8);
  acks.up(session);
  expect(sent).toEqual([
    ['r6', '+ACK'],
    ['r7', '-NAK'],
  ]);
});
