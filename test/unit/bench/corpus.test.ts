import { expect, test } from 'vitest';
import { alertText, templatesFor } from '../../../bench/corpus.ts';
import { findMarks, writeDigits, writeMark } from '../../../bench/marker.ts';

const RUN = 4321;

test('each alert of the corpus is JSON with two markers and exact integers, in a whole request', () => {
  for (const [index, { bytes, marks, fraction }] of templatesFor(2801, new Date()).entries()) {
    const [head, body] = bytes.toString().split('\r\n\r\n') as [string, string];
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    expect(marks).toHaveLength(2);
    writeMark(bytes, marks[0]!, RUN, { number: index, dueMs: 5 });
    writeMark(bytes, marks[1]!, RUN, { number: index, dueMs: 5 });
    writeDigits(bytes, fraction, 42, 9);
    expect(findMarks(bytes, RUN)).toEqual([{ number: index, dueMs: 5 }]);
    const alert = JSON.parse(bytes.toString().split('\r\n\r\n')[1]!) as { time: string; rule: string };
    expect(alert.time).toMatch(/\.000000042Z$/);
    expect(alert.rule).not.toBe('');
  }
  expect(alertText(3, new Date())).toContain('"container.start_ts":1772611200000000001,');
  expect([0, 1, 2, 3, 4, 5].map(index => alertText(index, new Date())).join()).not.toContain('BIG_');
});
