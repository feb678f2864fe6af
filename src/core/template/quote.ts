/** Texts made safe for Go source, HTML, JavaScript and URLs, as Go escapes them. */

// What Go calls printable: letters, marks, numbers, punctuation, symbols and the plain space.
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
const TO_QUOTE = /[\\"]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const TO_QUOTE_ASCII = /[\\"]|[^\x20-\x7e]/gu;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

/** A Go string literal in double quotes. `ascii` escapes all that is not ASCII. */
export function quote(text: string, ascii = false): string {
  return `"${text.toWellFormed().replace(ascii ? TO_QUOTE_ASCII : TO_QUOTE, toEscape)}"`;
}

/** A Go character literal in single quotes. */
export function quoteCharacter(code: number, ascii = false): string {
  const char = String.fromCodePoint(code).toWellFormed();
  if (char === "'" || char === '\\') return `'\\${char}'`;
  const plain = ascii ? char >= ' ' && char <= '~' : !UNPRINTABLE.test(char);
  return `'${plain ? char : toEscape(char)}'`;
}

/** A literal in back quotes where that is possible, else in double quotes. */
export function quoteRaw(text: string, ascii: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a raw literal cannot hold
  return /[\x00-\x08\x0a-\x1f`\x7f\ufeff]/.test(text) ? quote(text, ascii) : `\`${text}\``;
}

/** Whether Go would print a character as it is. */
export function isPrintable(code: number): boolean {
  return !UNPRINTABLE.test(String.fromCodePoint(code));
}

function toEscape(char: string): string {
  if (char === '\\' || char === '"') return `\\${char}`;
  const code = char.codePointAt(0) ?? 0;
  const short = SHORT_ESCAPES.get(char);
  if (short) return short;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0');
}

const HTML: ReadonlyMap<string, string> = new Map([
  ['"', '&#34;'],
  ["'", '&#39;'],
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['\0', '\ufffd'],
]);

/** Text for an HTML page or attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/["'&<>\0]/g, char => HTML.get(char) ?? char);
}

const TO_ESCAPE_JS = /[\\'"<>&=]|[^ -\x7f\p{L}\p{M}\p{N}\p{P}\p{S}]/gu;

/** Text for the inside of a JavaScript string literal. */
export function escapeJs(text: string): string {
  return text.toWellFormed().replace(TO_ESCAPE_JS, char => {
    if (char === '\\' || char === "'" || char === '"') return `\\${char}`;
    return `\\u${hex(char.codePointAt(0) ?? 0, 4).toUpperCase()}`;
  });
}

/** Text for a URL's query part: a space becomes `+`. */
export function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, char => `%${hex(char.charCodeAt(0), 2).toUpperCase()}`)
    .replaceAll('%20', '+');
}
