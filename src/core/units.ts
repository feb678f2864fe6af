/** Values written as text: spans of time, sizes, `name:value` pairs. All pure. */
import { isJsonObject, isRawNumber, type JsonObject, parseExact, toText } from './alert/json.ts';

const MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `500ms`, `10s`, `1h30m`, `7d` (a bare number is seconds) as whole milliseconds; undefined when it is none. */
export function parseDuration(value: string): number | undefined {
  const text = value.trim().toLowerCase();
  if (/^\d+(\.\d+)?$/.test(text)) return whole(Number(text) * 1000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(number) * MS[unit!]!;
  }
  return whole(total);
}

/** Timers take no fractions. What is not nothing stays so: 0 often means never. */
function whole(ms: number): number {
  return ms > 0 ? Math.max(1, Math.round(ms)) : 0;
}

/** Reads `2026-01-31` or what begins so and is a time to Date.parse, as milliseconds since the epoch; undefined when it is none. */
export function parseDate(text: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(text) ?? [];
  // Date.parse takes a day that the month does not have for one of the next.
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day))
    return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** The shortest text that parseDuration reads as this many milliseconds: `1m30s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let text = '';
  let rest = ms;
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const count = unit === 'ms' ? rest : Math.floor(rest / MS[unit]!);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * MS[unit]!;
  }
  // `1d` reads worse than `24h` only where a day is the whole of it.
  return text === '1d' ? '24h' : text;
}

const BYTES: Record<string, number> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/** Reads `64MiB`, `1GB`, `4096` as bytes; undefined when it is none. */
export function parseSize(value: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(value.trim().toLowerCase());
  const unit = match && Object.hasOwn(BYTES, match[2]!) ? BYTES[match[2]!] : undefined;
  return unit ? Math.floor(Number(match![1]) * unit) : undefined;
}

/** The shortest exact text for a number of bytes: `64MiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = BYTES[unit.toLowerCase()]!;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/**
 * Splits `name:value,other:value`. A value may hold `:`; a comma ends a pair only when a new `name:` follows, so
 * values may hold commas as well; a value in double quotes may hold anything. A JSON object is taken, too.
 * Undefined when a piece is no pair.
 * @param bareNames every comma ends a pair, and a name without a colon has an empty value
 */
export function parsePairs(value: string, bareNames = false): Record<string, string> | undefined {
  const object = parseObject(value);
  if (object) return pairsOf(object);
  const pairs: [string, string][] = [];
  for (const piece of splitPieces(value)) {
    if (piece.trim() === '') continue;
    const colon = bareNames && !piece.includes(':') ? piece.length : piece.indexOf(':');
    const name = piece.slice(0, Math.max(0, colon)).trim();
    if (name !== '' && !name.startsWith('"')) {
      pairs.push([name, piece.slice(colon + 1)]);
    } else if (pairs.length > 0) {
      pairs.at(-1)![1] += `,${piece}`;
    } else {
      return undefined;
    }
  }
  return Object.fromEntries(pairs.map(([name, text]) => [name, unquote(text.trim())]));
}

function parseObject(text: string): JsonObject | undefined {
  if (!/^\s*\{.*\}\s*$/s.test(text)) return undefined;
  try {
    const value = parseExact(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Members without a value are left out; undefined when one holds more than a value. */
function pairsOf(object: JsonObject): Record<string, string> | undefined {
  const members = Object.entries(object).filter(([, value]) => value !== null);
  const isNested = members.some(([, value]) => typeof value === 'object' && !isRawNumber(value));
  return isNested ? undefined : Object.fromEntries(members.map(([name, value]) => [name, toText(value)]));
}

/** Cuts at commas outside of double quotes; a quote counts only where a value starts or ends. */
function splitPieces(value: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let quoted = false;
  let before = '';
  for (let at = 0; at < value.length; at++) {
    const char = value[at]!;
    if (quoted && char === '\\') at++;
    else if (char === '"' && (quoted || before === ':')) quoted = !quoted;
    else if (char === ',' && !quoted) {
      pieces.push(value.slice(start, at));
      start = at + 1;
    }
    if (char !== ' ') before = char;
  }
  pieces.push(value.slice(start));
  return pieces;
}

function unquote(text: string): string {
  return /^"(?:[^"\\]|\\.)*"$/s.test(text) ? text.slice(1, -1).replace(/\\(.)/gs, '$1') : text;
}
