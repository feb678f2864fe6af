/** Masks secrets in texts that people or logs get to see. */
import { percentDecoded } from './url-parts.ts';

export const MASK = '***';

/** Shorter texts occur by chance; masking them would garble everything and still hide nothing. */
const MIN_LENGTH = 4;
/** A URL's path, or a line of a longer secret, counts as a secret of its own from this length on. */
const MIN_PART = 12;

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
 * A function that puts `***` in place of every secret (of at least 4 characters, also percent-encoded, percent-decoded
 * and JSON-escaped; of a URL also its path alone) and of user names and passwords in URLs.
 */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    for (const form of formsOf(secret)) if (form.length >= MIN_LENGTH) forms.add(form);
  }
  if (forms.size === 0) return maskUserInfo;
  // Longer ones first: one secret may start with another.
  const sorted = [...forms].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(
    sorted.map(form => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'),
    'g',
  );
  return text => maskUserInfo(text.replace(pattern, MASK));
}

function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter(line => line.length >= MIN_PART);
  const parts = [secret, secret.trim(), ...lines];
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(secret) && URL.canParse(secret)) {
    const url = new URL(secret);
    parts.push(url.href);
    for (const path of [url.pathname + url.search, url.pathname])
      if (path.length >= MIN_PART) parts.push(path);
  }
  // Who repeats an address may show it decoded, and encoded anew in a way of its own.
  return parts.flatMap(part => [part, percentDecoded(part)]).flatMap(writingsOf);
}

function writingsOf(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  // What is no well-formed UTF-16 cannot be encoded.
  if (!text.isWellFormed()) return [text, json];
  const encoded = [encodeURIComponent(text), encodeURI(text)];
  const lower = encoded.map(form => form.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase()));
  return [text, json, ...encoded, ...lower, encoded[0]!.replaceAll('%20', '+')];
}
