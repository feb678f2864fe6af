/** Addresses that requests go to. All pure. */
import type { HttpResponse } from '../contract.ts';
import { PermanentError } from '../errors.ts';
import { percentDecoded } from '../url-parts.ts';

/** A URL taken apart. */
export interface Target {
  url: URL;
  origin: string;
  path: string;
  /** From user name and password in the URL. */
  authorization: string | undefined;
}

/** Where a 307 or 308 leads; undefined for all other answers, and where it would give up encryption. */
export function redirection(answer: HttpResponse, from: Target): URL | undefined {
  if (answer.status !== 307 && answer.status !== 308) return undefined;
  const { location } = answer.headers;
  const next = typeof location === 'string' ? URL.parse(location, from.url.href) : null;
  if (!next || !/^https?:$/.test(next.protocol)) return undefined;
  return from.url.protocol === 'https:' && next.protocol === 'http:' ? undefined : next;
}

/**
 * Whether what one address is sent may go to another too: to any port of the same host, as Go's net/http and so
 * falcosidekick has it, but never from https to http.
 */
export function keepsCredentials(one: URL, other: URL): boolean {
  const isAsSecure = other.protocol === 'https:' || other.protocol === one.protocol;
  return isAsSecure && other.hostname === one.hostname;
}

/** A URL with the user name and password of another one, unless it has its own. */
export function withUserInfo(url: URL, { username, password }: URL): URL {
  if (url.username !== '' || url.password !== '') return url;
  return Object.assign(new URL(url), { username, password });
}

/** @throws PermanentError when the text is not an HTTP URL */
export function parseTarget(text: string): Target {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new PermanentError('the address is not an HTTP URL', { reason: 'payload' });
  }
  return {
    url,
    origin: url.origin,
    path: url.pathname + url.search,
    authorization: basicAuthorization(url),
  };
}

/** The header for user name and password of a URL, where it has them. */
export function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  const pair = `${percentDecoded(username)}:${percentDecoded(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}
