/** Masks secrets in texts that people or logs get to see. */
import { percentDecoded } from './url-parts.ts';

export const MASK = '***';

/** Shorter texts occur by chance; masking them would garble everything and still hide nothing. */
const MIN_LENGTH = 4;
/** A URL's path, or a line of a longer secret, counts as a secret of its own from this length on. */
const MIN_PART = 12;
/** Without them a text holds nothing that is percent-encoded or JSON-escaped. */
const ESCAPES = /[%+\\]/;

// Starts at `://` only, so that no input makes it slow.
const USER_INFO = /:\/\/[^\s/?#"'<>\\]+@/g;

/** Masks user names and passwords in URLs: `nats://user:pass@host` → `nats://***@host`. */
export function maskUserInfo(text: string): string {
  return text.includes('@') ? text.replace(USER_INFO, `://${MASK}@`) : text;
}

/** In one address, which may have no scheme, all that stands before its last `@`: `user:pass@host` → `***@host`. */
export function maskAddress(address: string): string {
  const [info, start] = addressInfo(address);
  return info === undefined ? address : address.slice(0, start) + MASK + address.slice(start + info.length);
}

/** User names and passwords in one address, or in several with commas between them. */
export function addressUserInfo(text: string): string[] {
  return [text, ...text.split(',')].flatMap(part => {
    const [info] = addressInfo(part.trim());
    return info === undefined ? [] : secretsOf(info);
  });
}

function addressInfo(address: string): [info: string | undefined, start: number] {
  const start = /^[a-z][a-z0-9+.-]*:\/\//i.exec(address)?.[0].length ?? 0;
  const end = address.lastIndexOf('@');
  return [end < start ? undefined : address.slice(start, end), start];
}

/** User names and passwords found in URLs within a text, as they are and decoded. */
export function userInfo(text: string): string[] {
  const found: string[] = [];
  for (const [match] of text.matchAll(USER_INFO)) {
    found.push(...secretsOf(match.slice(3, -1)));
  }
  return found;
}

/** What of `user:password` is secret, as it is and decoded; a lone user name is a token (`nats://token@host`). */
function secretsOf(info: string): string[] {
  const colon = info.indexOf(':');
  const secret = colon < 0 ? info : info.slice(colon + 1);
  return secret === '' ? [] : [secret, percentDecoded(secret)];
}

/**
 * A function that puts `***` in place of every secret (of at least 4 characters; of a URL also its path alone), however it
 * is percent-encoded or JSON-escaped there, and of user names and passwords in URLs.
 */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const texts = new Set<string>();
  for (const secret of secrets) {
    for (const text of textsOf(secret)) if (text.length >= MIN_LENGTH) texts.add(text);
  }
  if (texts.size === 0) return maskUserInfo;
  // Longer ones first: one secret may start with another.
  const sorted = [...texts].sort((a, b) => b.length - a.length);
  const asTheyAre = new RegExp(sorted.map(literally).join('|'), 'g');
  let escaped: RegExp | undefined;
  return text => {
    // It takes some hundred times as long, and few texts have anything to look for.
    if (!ESCAPES.test(text)) return maskUserInfo(text.replace(asTheyAre, MASK));
    escaped ??= new RegExp(sorted.map(howeverWritten).join('|'), 'g');
    return maskUserInfo(text.replace(escaped, MASK));
  };
}

/** What must not be shown of a secret: as it is, and as it is meant where it is percent-encoded. */
function textsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter(line => line.length >= MIN_PART);
  const parts = [secret, secret.trim(), ...lines];
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(secret) && URL.canParse(secret)) {
    const url = new URL(secret);
    parts.push(url.href);
    for (const path of [url.pathname + url.search, url.pathname])
      if (path.length >= MIN_PART) parts.push(path);
  }
  return parts.flatMap(part => [part, percentDecoded(part)]);
}

/**
 * A pattern for the text as others may repeat it: as it is, or each character but letters and digits as it is,
 * percent-encoded (a blank also as `+`) or escaped as in JSON. At each place one way at the most fits, so that no text
 * makes it slow.
 */
function howeverWritten(text: string): string {
  const written = Array.from(text, character => {
    if (/[a-z0-9]/i.test(character)) return character;
    // A backslash before another one is an escaped one: the two as they are stand in the literal text.
    const ways = [character === '\\' ? '\\\\(?!\\\\)' : literally(character), inUnicode(character)];
    const short = JSON.stringify(character).slice(1, -1);
    if (short !== character) ways.push(literally(short));
    if (character === '/') ways.push('\\\\/');
    if (character === ' ') ways.push('\\+');
    // What is no well-formed UTF-16 cannot be encoded.
    if (character.isWellFormed()) ways.push(inPercents(character));
    return `(?:${ways.join('|')})`;
  });
  return `${literally(text)}|${written.join('')}`;
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function inPercents(character: string): string {
  return [...Buffer.from(character)].map(byte => `%${digits(byte, 2)}`).join('');
}

function inUnicode(character: string): string {
  return character
    .split('')
    .map(unit => `\\\\u${digits(unit.charCodeAt(0), 4)}`)
    .join('');
}

/** Hexadecimal ones, in either case. */
function digits(value: number, count: number): string {
  const text = value.toString(16).padStart(count, '0');
  return text.replace(/[a-f]/g, digit => `[${digit}${digit.toUpperCase()}]`);
}
