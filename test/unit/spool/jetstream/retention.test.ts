import { describe, expect, test } from 'vitest';
import { ackFloorOf, firstSince } from '../../../../src/core/spool/jetstream/retention.ts';

describe('where a time begins in a stream', () => {
  // Sequences 10 to 19, stored at 100, 110, ..., 190.
  const storedAt = async (seq: number) => (seq < 10 ? undefined : 100 + 10 * (seq - 10));
  test.each([
    [0, 10],
    [100, 10],
    [101, 11],
    [150, 15],
    [190, 19],
    [191, 20],
  ])('%i', async (time, expected) => {
    expect(await firstSince({ first: 10, end: 20 }, time, storedAt)).toBe(expected);
  });

  test('what is gone is older than what is there', async () => {
    expect(await firstSince({ first: 1, end: 20 }, 0, storedAt)).toBe(10);
  });
});

describe('what a consumer has settled', () => {
  const place = (consumer: number, stream: number) => ({
    consumer_seq: consumer,
    stream_seq: stream,
    last_active: 0,
  });

  test.each([
    ['all that it was handed', place(7, 17), place(7, 17), 0, 17],
    ['all before the first that is in hand', place(7, 17), place(4, 14), 2, 14],
    // An old floor stays where it was when what lay behind it was dropped.
    ['all, whatever the floor says, when nothing is in hand', place(7, 17), place(4, 14), 0, 17],
    ['nothing yet', place(0, 0), place(0, 0), 0, 0],
  ])('%s', (_, delivered, ack_floor, num_ack_pending, expected) => {
    expect(ackFloorOf({ delivered, ack_floor, num_ack_pending })).toBe(expected);
  });
});
