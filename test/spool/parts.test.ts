import { describe, expect, test } from 'vitest';
import { Cursor, fromRanges, parseCursors, serialiseCursors } from '../../src/core/spool/cursor.ts';
import { countExpired, countForRoom, type SegmentAge } from '../../src/core/spool/disk/retention.ts';
import { DropReport } from '../../src/core/spool/drop-report.ts';
import { stampAfter } from '../../src/core/spool/history.ts';
import { Ranges, toRanges } from '../../src/core/spool/ranges.ts';
import { RetryHeap } from '../../src/core/spool/retry-heap.ts';
import { recordingLogger } from '../support/logger.ts';

describe('ranges', () => {
  test('touching and overlapping ranges become one', () => {
    const ranges = new Ranges();
    ranges.add(10, 20);
    ranges.add(30, 40);
    ranges.add(20, 30);
    ranges.add(5, 12);
    ranges.add(50, 50);
    expect(ranges.count(0, 100)).toBe(35);
    expect(ranges.count(15, 17)).toBe(2);
    expect(ranges.count(40, 100)).toBe(0);
    ranges.dropBelow(38);
    expect(ranges.count(0, 100)).toBe(2);
  });

  test('a range between others stays apart', () => {
    const ranges = new Ranges();
    ranges.add(30, 40);
    ranges.add(1, 5);
    ranges.add(10, 20);
    expect([ranges.count(5, 10), ranges.count(20, 30), ranges.count(0, 100)]).toEqual([0, 0, 24]);
  });

  test('numbers to ranges and back', () => {
    const numbers = [1, 2, 3, 7, 9, 10];
    expect(toRanges(numbers)).toEqual([
      [1, 4],
      [7, 8],
      [9, 11],
    ]);
    expect([...fromRanges(toRanges(numbers))]).toEqual(numbers);
  });
});

describe('cursors as text', () => {
  const cursors = [
    new Cursor('slack.soc', 42, [3, 4, 40]),
    new Cursor('__proto__', 7),
    new Cursor('日本 "x"', 1),
  ];

  test('come back as they went', () => {
    const file = parseCursors(serialiseCursors(50, cursors))!;
    expect(file.nextOffset).toBe(50);
    expect([...file.cursors.keys()]).toEqual(cursors.map(({ name }) => name));
    expect(file.cursors.get('slack.soc')).toEqual({
      next: 42,
      pending: [
        [3, 5],
        [40, 41],
      ],
    });
  });

  test('are refused when any character differs or is missing', () => {
    const text = serialiseCursors(50, cursors);
    for (let at = 0; at < text.length; at++) {
      const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
      expect(parseCursors(flipped), `character ${at}`).toBeUndefined();
      expect(parseCursors(text.slice(0, at))).toBeUndefined();
    }
  });
});

test('the heap gives the next due, of equals the oldest', () => {
  const heap = new RetryHeap<{ offset: number; due: number }>();
  for (const [offset, due] of [
    [5, 3],
    [1, 9],
    [7, 1],
    [2, 3],
    [8, 0],
    [3, 9],
  ] as const)
    heap.push({ offset, due });
  const order: number[] = [];
  for (let item = heap.pop(); item; item = heap.pop()) order.push(item.offset);
  expect(order).toEqual([8, 7, 2, 5, 1, 3]);
});

describe('retention', () => {
  const segment = (over: Partial<SegmentAge> = {}): SegmentAge => ({
    bytes: 100,
    lastAt: 1000,
    isSettled: true,
    isNewest: false,
    ...over,
  });
  const limits = { maxAgeMs: 0, historyBytes: 250, historyAgeMs: 10_000 };

  test('history is kept up to its bytes, the newest file whatever its size', () => {
    const segments = [segment(), segment(), segment(), segment({ isNewest: true })];
    expect(countExpired(segments, limits, 2000)).toBe(2);
    expect(countExpired([segment({ bytes: 999, isNewest: true })], limits, 2000)).toBe(0);
  });

  test('history is kept up to its age', () => {
    const segments = [
      segment({ lastAt: 1 }),
      segment({ lastAt: 5000 }),
      segment({ lastAt: 9000, isNewest: true }),
    ];
    expect(countExpired(segments, limits, 12_000)).toBe(1);
    expect(countExpired(segments, limits, 99_000)).toBe(3);
  });

  test('what is unread stays, and all behind it, unless it is too old', () => {
    const segments = [segment({ isSettled: false }), segment(), segment(), segment()];
    expect(countExpired(segments, limits, 99_000)).toBe(0);
    expect(countExpired(segments, { ...limits, maxAgeMs: 50_000 }, 99_000)).toBe(4);
  });

  test('room is made from the oldest on, only of what is read if so wished', () => {
    const segments = [segment(), segment({ isSettled: false }), segment()];
    const room = { needed: 100, maxBytes: 150 };
    expect(countForRoom(segments, { ...room, onlySettled: false })).toBe(3);
    expect(countForRoom(segments, { ...room, onlySettled: true })).toBe(1);
    expect(countForRoom(segments, { needed: 1, maxBytes: 301, onlySettled: false })).toBe(0);
  });
});

test('times of appending do not go back with a clock that is corrected', () => {
  expect(stampAfter(1_000_000, 999_000)).toBe(1_000_000);
  expect(stampAfter(1_000_000, 1_000_001)).toBe(1_000_001);
  expect(stampAfter(10_000_000, 1_000_000)).toBe(1_000_000);
});

test('what was dropped is told once a minute, however the wall clock is set', () => {
  const log = recordingLogger();
  let wall = 0;
  let monotonic = 0;
  const drops = new DropReport({ now: () => wall, monotonic: () => monotonic, random: () => 0 }, log);
  for (let round = 0; round < 5; round++) {
    drops.add(new Map([['a', 2]]));
    wall += 3_600_000;
    monotonic += 1_000;
  }
  expect(log.lines.map(({ fields }) => fields)).toEqual([{ dropped: { a: 2 } }]);
  wall = 0;
  monotonic += 60_000;
  drops.tell();
  expect(log.lines.slice(1).map(({ fields }) => fields)).toEqual([{ dropped: { a: 8 } }]);
});
