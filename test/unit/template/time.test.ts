import { describe, expect, test } from 'vitest';
import { formatGoTime } from '../../../src/core/template/index.ts';

describe('without a layout a time looks as Go prints it', () => {
  test.each([
    ['2024-06-08T08:14:02.104400871Z', '2024-06-08 08:14:02.104400871 +0000 UTC'],
    ['2024-01-01T00:00:00-03:30', '2024-01-01 00:00:00 -0330 -0330'],
    ['2024-01-01T00:00:00.5+05:45', '2024-01-01 00:00:00.5 +0545 +0545'],
    ['2024-01-01T00:00:00+00:00', '2024-01-01 00:00:00 +0000 UTC'],
    ['0001-01-01T00:00:00Z', '0001-01-01 00:00:00 +0000 UTC'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31 23:59:59.999999999 +0000 UTC'],
    ['not a time', 'not a time'],
    ['', ''],
  ])('%s', (time, expected) => {
    expect(formatGoTime(time)).toBe(expected);
  });
});

describe('layouts', () => {
  const time = '2024-02-05T03:04:09.012030000-03:30';

  test.each([
    ['2006-01-02 15:04:05', '2024-02-05 03:04:09'],
    ['Mon Jan _2 15:04:05 2006', 'Mon Feb  5 03:04:09 2024'],
    ['Monday, 02-January-06 3:04PM 03pm', 'Monday, 05-February-24 3:04AM 03am'],
    ['1/2 4.5 __2 002', '2/5 4.9  36 036'],
    ['.000 ,000000 .999999999 .99 05.0', '.012 ,012030 .01203 .01 09.0'],
    ['MST -07 -0700 -07:00 -070000 -07:00:00', '-0330 -03 -0330 -03:30 -033000 -03:30:00'],
    ['Z07 Z0700 Z07:00 Z070000 Z07:00:00', '-03 -0330 -03:30 -033000 -03:30:00'],
    ['_2006 20060102', '_2024 20240205'],
    ['Janx Monx .0001 no parts', 'Janx Monx .0002 no parts'],
    ['', ''],
  ])('%s', (layout, expected) => {
    expect(formatGoTime(time, layout)).toBe(expected);
  });

  test('Z stands for UTC, and noon and midnight are 12', () => {
    expect(formatGoTime('2024-02-05T12:00:00Z', '3PM Z07:00 Z07 -07:00 MST .99')).toBe(
      '12PM Z Z +00:00 UTC ',
    );
    expect(formatGoTime('2024-02-05T00:30:00Z', '3:04pm')).toBe('12:30am');
  });
});
