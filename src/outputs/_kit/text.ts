/** Text helpers shared by outputs. All pure. */

/** Marks a text that was cut. */
const CUT_MARK = '…';

/**
 * Cuts a text to at most `max` UTF-16 units, the mark included, never inside a character (code point).
 * Vendors count characters in different ways; units are never fewer than code points, so the result fits all of them.
 */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  let end = Math.max(0, max - CUT_MARK.length);
  if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end) + CUT_MARK;
}

/** Cuts a text to at most `max` bytes of UTF-8, the mark included, never inside a character. */
export function truncateBytes(text: string, max: number): string {
  // No unit takes more than three bytes.
  if (text.length * 3 <= max) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= max) return text;
  let end = Math.max(0, max - Buffer.byteLength(CUT_MARK));
  // Continuation bytes start with the bits 10.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + CUT_MARK;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

/** Compares texts by code units, the order of falcosidekick's sorted keys for all but astral characters. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
