/**
 * The marker that every alert of the bench carries in its text and in a field: which alert of which run it is, and when
 * it was due. Fixed width and made of letters and digits, so that it is patched in place and survives every encoding.
 *
 *     TCBM<run: 4 digits>n<number: 9 digits>t<due: microseconds on the monotonic clock, 16 digits>z
 */

export interface Mark {
  number: number;
  /** When the alert was due, in milliseconds on the monotonic clock. */
  dueMs: number;
}

const PREFIX = Buffer.from('TCBM');
const RUN_AT = 4;
const NUMBER_AT = 9;
const DUE_AT = 19;
const END_AT = 35;
export const MARK_BYTES = END_AT + 1;

/** Stands where a marker goes. */
export const BLANK_MARK = `TCBM${'0'.repeat(4)}n${'0'.repeat(9)}t${'0'.repeat(16)}z`;

/** An alert's markers stand near each other; a batch lists one alert after the other. */
const REMEMBERED = 8;

/** Writes digits with leading zeros. */
export function writeDigits(target: Buffer, at: number, value: number, digits: number): void {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    const next = Math.floor(rest / 10);
    target[place] = 48 + (rest - next * 10);
    rest = next;
  }
}

/** Writes the marker over a blank one. */
export function writeMark(target: Buffer, at: number, run: number, mark: Mark): void {
  writeDigits(target, at + RUN_AT, run, 4);
  writeDigits(target, at + NUMBER_AT, mark.number, 9);
  writeDigits(target, at + DUE_AT, Math.round(mark.dueMs * 1000), 16);
}

/** The markers of a run in a body, each alert once. */
export function findMarks(body: Buffer, run: number): Mark[] {
  const marks: Mark[] = [];
  const recent: number[] = [];
  for (let at = body.indexOf(PREFIX); at >= 0; at = body.indexOf(PREFIX, at + PREFIX.length)) {
    if (at + MARK_BYTES > body.length) break;
    if (body[at + 8] !== 110 || body[at + 18] !== 116 || body[at + END_AT] !== 122) continue;
    if (readDigits(body, at + RUN_AT, 4) !== run) continue;
    const number = readDigits(body, at + NUMBER_AT, 9);
    if (Number.isNaN(number) || recent.includes(number)) continue;
    recent.push(number);
    if (recent.length > REMEMBERED) recent.shift();
    marks.push({ number, dueMs: readDigits(body, at + DUE_AT, 16) / 1000 });
  }
  return marks;
}

function readDigits(source: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let place = at; place < at + digits; place++) {
    const digit = source[place]! - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
