import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  formatDuration,
  formatSize,
  parseDate,
  parseDuration,
  parsePairs,
  parseSize,
} from '../../src/core/units.ts';

test.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['7d', 604_800_000],
  ['1.5s', 1500],
  [' 2M ', 120_000],
  ['10', 10_000],
  ['0s', 0],
  ['16.1s', 16_100],
  ['1.0004', 1000],
  ['0.1ms', 1],
  ['', undefined],
  ['10x', undefined],
  ['-1s', undefined],
  ['1 s', undefined],
])('duration %j', (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each([
  ['64MiB', 64 * 2 ** 20],
  ['1GB', 1e9],
  ['4096', 4096],
  ['1.5 KiB', 1536],
  ['2g', 2 ** 31],
  ['0', 0],
  ['', undefined],
  ['1XB', undefined],
  ['-1', undefined],
  ['1constructor', undefined],
])('size %j', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test('what is written reads back as the same', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), number => {
      expect(parseDuration(formatDuration(number))).toBe(number);
      expect(parseSize(formatSize(number))).toBe(number);
    }),
  );
  expect([formatDuration(86_400_000), formatDuration(90_000), formatSize(1 << 20)]).toEqual([
    '24h',
    '1m30s',
    '1MiB',
  ]);
});

test.each([
  ['', {}],
  [' , ', {}],
  ['a:1,b:2', { a: '1', b: '2' }],
  ['a : 1 , b: 2', { a: '1', b: '2' }],
  ['u:http://x:80/?a=b', { u: 'http://x:80/?a=b' }],
  ['accept:text/html,text/plain', { accept: 'text/html,text/plain' }],
  ['q:"a, b: c"', { q: 'a, b: c' }],
  ['q:"say \\"hi\\", then: go",z:1', { q: 'say "hi", then: go', z: '1' }],
  ['q:a"b,c:d', { q: 'a"b', c: 'd' }],
  ['open:"x,y:z', { open: '"x,y:z' }],
  ['k8s.ns:', { 'k8s.ns': '' }],
  [
    '{"X-A":"1", "b": "c,d:e", "n": 1.10, "t": true, "none": null}',
    { 'X-A': '1', b: 'c,d:e', n: '1.10', t: 'true' },
  ],
  ['{}', {}],
  ['{"a":{"b":"c"}}', undefined],
  ['{a}:x', { '{a}': 'x' }],
  ['nothing', undefined],
  [':x', undefined],
])('pairs %j', (text, pairs) => expect(parsePairs(text)).toEqual(pairs));

test.each([
  ['2026-01-31', Date.UTC(2026, 0, 31)],
  ['2024-02-29', Date.UTC(2024, 1, 29)],
  ['2026-01-31T12:00:00+01:00', Date.UTC(2026, 0, 31, 11)],
  ['2026-02-30', undefined],
  ['2026-02-29T00:00:00Z', undefined],
  ['2026-13-01', undefined],
  ['2026-01-31x', undefined],
  ['31.1.2026', undefined],
])('the date %j', (text, ms) => {
  expect(parseDate(text)).toBe(ms);
});
