/** Finds where the parts of a JSON text stand, so that they can be kept as they came. */

/** A member of a JSON object: its decoded key and where its value's text stands. */
export interface MemberSpan {
  key: string;
  start: number;
  end: number;
}

/** Where a value's text stands. */
export interface Span {
  start: number;
  end: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The members of an object, in the order of the text. The text has to be a JSON object already known to be valid. */
export function memberSpans(text: string): MemberSpan[] {
  const spans: MemberSpan[] = [];
  let at = skipSpace(text, text.indexOf('{') + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyEnd = stringEnd(text, at);
    const raw = text.slice(at + 1, keyEnd - 1);
    const start = skipSpace(text, text.indexOf(':', keyEnd) + 1);
    const end = valueEnd(text, start);
    spans.push({ key: raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw, start, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) break;
    at = skipSpace(text, at + 1);
  }
  return spans;
}

/**
 * Where the object within an object stands, if it is the only one and no brace in a string is in the way; undefined means
 * nothing. Takes a fraction of the time of `memberSpans`. The text has to be a JSON object already known to be valid, and
 * to have an object within.
 */
export function innerObjectSpan(text: string): Span | undefined {
  const start = text.indexOf('{', text.indexOf('{') + 1);
  if (text.includes('{', start + 1)) return undefined;
  const close = text.indexOf('}', start);
  const isOnlyOne = text.lastIndexOf('}', text.lastIndexOf('}') - 1) === close;
  return isOnlyOne ? { start, end: close + 1 } : undefined;
}

/** The elements of a list. The text has to be a JSON array already known to be valid. */
export function elementSpans(text: string): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, text.indexOf('[') + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_LIST) {
    const end = valueEnd(text, at);
    spans.push({ start: at, end });
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COMMA) break;
    at = skipSpace(text, at + 1);
  }
  return spans;
}

/**
 * Cuts a text of several JSON values (one a line, or one behind the other) into them. Never throws: a piece that is
 * no JSON value comes out as a piece of its own, up to the end of its line. Stops after `limit` pieces.
 */
export function valueSpans(text: string, limit: number): Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length && spans.length < limit) {
    const code = text.charCodeAt(at);
    const end = code === OPEN_OBJECT || code === OPEN_LIST ? valueEnd(text, at) : lineEnd(text, at);
    spans.push({ start: at, end });
    at = skipSpace(text, end);
  }
  return spans;
}

/** Whether there are more than `limit` opening brackets, in strings or not. */
export function hasBrackets(text: string, limit: number): boolean {
  let left = limit;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (--left < 0) return true;
  }
  return false;
}

/** How deep lists and objects stand in each other; stops counting at `limit`. */
export function nestingDepth(text: string, limit: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length && deepest < limit; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at) - 1;
    else if (code === OPEN_OBJECT || code === OPEN_LIST) deepest = Math.max(deepest, ++depth);
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth = Math.max(0, depth - 1);
  }
  return deepest;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** The place behind the closing quote of the string that opens at `open`. */
function stringEnd(text: string, open: number): number {
  let at = open + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start);
  let at = start;
  if (first !== OPEN_OBJECT && first !== OPEN_LIST) {
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST || isSpace(code)) break;
      at++;
    }
    return at;
  }
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = stringEnd(text, at);
      continue;
    }
    at++;
    if (code === OPEN_OBJECT || code === OPEN_LIST) depth++;
    else if ((code === CLOSE_OBJECT || code === CLOSE_LIST) && --depth === 0) return at;
  }
  return text.length;
}
