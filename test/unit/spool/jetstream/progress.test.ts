import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Progress } from '../../../../src/core/spool/jetstream/progress.ts';

describe('how far an output is', () => {
  const delivery = (deliverySequence: number, streamSequence: number, deliveryCount = 1) => ({
    deliverySequence,
    streamSequence,
    deliveryCount,
  });
  const seen = (consumer_seq: number, stream_seq: number, created = '2026-01-31T12:00:00Z') => ({
    delivered: { consumer_seq, stream_seq },
    created,
  });

  test('what was there before the first look is not told', () => {
    const progress = new Progress();
    expect(progress.reached).toBeUndefined();
    expect(progress.update(seen(3, 10), 50)).toBe(0);
    expect(progress.reached).toBe(49);
  });

  test('a drop is told once, whether it is seen before or after the next delivery', () => {
    const progress = new Progress();
    progress.update(seen(0, 0), 1);
    expect(progress.update(seen(2, 2), 11)).toBe(8);
    expect(progress.update(seen(2, 2), 11)).toBe(0);
    progress.arrived(delivery(3, 31));
    expect(progress.update(seen(3, 31), 31)).toBe(20);
    expect(progress.reached).toBe(31);
  });

  test('an alert that came after the server was asked counts at the next look', () => {
    const progress = new Progress();
    progress.update(seen(1, 1), 1);
    progress.arrived(delivery(2, 20));
    expect(progress.update(seen(1, 1), 45)).toBe(24);
    expect(progress.update(seen(3, 45), 45)).toBe(18);
  });

  test('what came again hides no drop, and makes none', () => {
    const progress = new Progress();
    progress.update(seen(5, 5), 1);
    progress.arrived(delivery(6, 3, 2));
    progress.arrived(delivery(8, 4, 2));
    expect(progress.update(seen(7, 20), 20)).toBe(14);
    expect(progress.update(seen(9, 21), 20)).toBe(0);
  });

  test('a consumer or a stream made anew', () => {
    const progress = new Progress();
    progress.update(seen(7, 20), 20);
    expect(progress.update(seen(30, 50, '2026-01-31T12:30:00Z'), 20)).toBe(0);
    expect(progress.update(seen(31, 61, '2026-01-31T12:30:00Z'), 20)).toBe(10);
    const anew = new Progress(0);
    expect(anew.reached).toBe(0);
    expect(anew.update(seen(0, 0), 4)).toBe(3);
    expect(anew.update(seen(2, 7), 4)).toBe(2);
  });

  test('whatever happens and whenever one looks, each drop is told once', () => {
    const step = fc.constantFrom('append', 'hand out', 'again', 'drop', 'look');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), steps => {
        const progress = new Progress();
        const dropped = { seen: 0, told: 0 };
        let [first, last, sequence, place] = [1, 0, 0, 0];
        const look = () => {
          dropped.told += progress.update(seen(sequence, place), first);
        };
        look();
        for (const what of steps) {
          if (what === 'append') last++;
          else if (what === 'look') look();
          else if (what === 'again' && place > 0) progress.arrived(delivery(++sequence, place, 2));
          else if (what === 'drop' && first <= last) {
            if (first > place) dropped.seen++;
            first++;
          } else if (what === 'hand out' && Math.max(place + 1, first) <= last) {
            place = Math.max(place + 1, first);
            progress.arrived(delivery(++sequence, place));
          }
        }
        look();
        expect(dropped.told).toBe(dropped.seen);
      }),
    );
  });
});
