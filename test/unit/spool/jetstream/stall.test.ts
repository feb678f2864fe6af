import { describe, expect, test } from 'vitest';
import { Stall } from '../../../../src/core/spool/jetstream/stall.ts';

describe('a consumer that hands out nothing though its stream has more', () => {
  const place = (stream_seq: number, num_pending = 0) => ({ delivered: { stream_seq }, num_pending });
  /** What is said at each second. */
  const looks = (stall: Stall, seconds: number, of = place(7), last = 9, isAsking = true, from = 0) =>
    Array.from({ length: seconds }, (_, second) => stall.look(of, last, isAsking, (from + second) * 1000));
  const firsts = (said: boolean[]) => said.flatMap((is, second) => (is ? [second] : []));

  test('gets another leader after 5 s, and after 15 s more the next', () => {
    expect(firsts(looks(new Stall(), 40))).toEqual([5, 20, 35]);
  });

  test.each([
    ['has handed out all', place(9), 9, true],
    ['belongs to an empty stream', place(7), 0, true],
    ['says that there is more', place(7, 2), 9, true],
    ['is asked for nothing', place(7), 9, false],
  ])('is left alone when it %s', (_, of, last, isAsking) => {
    expect(firsts(looks(new Stall(), 40, of, last, isAsking))).toEqual([]);
  });

  test('is left alone while it goes on', () => {
    const stall = new Stall();
    const said = Array.from({ length: 60 }, (_, second) =>
      stall.look(place(Math.floor(second / 4)), 100, true, second * 1000),
    );
    expect(firsts(said)).toEqual([]);
  });

  test('counts anew once it has moved', () => {
    const stall = new Stall();
    looks(stall, 4);
    expect(stall.look(place(8), 9, true, 4000)).toBe(false);
    expect(firsts(looks(stall, 8, place(8), 9, true, 5))).toEqual([4]);
  });
});
