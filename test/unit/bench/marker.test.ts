import { expect, test } from 'vitest';
import { BLANK_MARK, findMarks, MARK_BYTES, writeMark } from '../../../bench/marker.ts';

const RUN = 4321;

function marked(number: number, dueMs: number): Buffer {
  const bytes = Buffer.from(`{"a":"${BLANK_MARK}","b":"${BLANK_MARK}"}`);
  for (let at = bytes.indexOf('TCBM'); at >= 0; at = bytes.indexOf('TCBM', at + 1)) {
    writeMark(bytes, at, RUN, { number, dueMs });
  }
  return bytes;
}

test('a marker is found with its number and time, once for each alert', () => {
  const batch = Buffer.concat([marked(7, 1234.567), marked(123_456_789, 9_999_999_999.999)]);
  expect(findMarks(batch, RUN)).toEqual([
    { number: 7, dueMs: 1234.567 },
    { number: 123_456_789, dueMs: 9_999_999_999.999 },
  ]);
});

test('markers of other runs, blank or broken ones do not count', () => {
  const broken = Buffer.from(marked(1, 1).toString().replaceAll('n000000001', 'n00000000x'));
  const cut = marked(1, 1).subarray(0, 6 + MARK_BYTES - 1);
  expect(findMarks(marked(1, 1), RUN + 1)).toEqual([]);
  for (const body of [Buffer.from(BLANK_MARK), broken, cut, Buffer.from('TCBM'), Buffer.alloc(0)]) {
    expect(findMarks(body, RUN)).toEqual([]);
  }
});
