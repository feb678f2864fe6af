/** Who may send alerts, read the API, and change something. */

import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { AuthConfig } from '../config/types.ts';
import { bareHost } from '../url-parts.ts';
import { firstSegment } from './target.ts';

/** Why a request may not do what it asks for. */
export interface Denial {
  status: 401 | 403;
  message: string;
}

// Requests whose path began with the secret segment; it is cut off before anything else sees the path.
const enteredBySecret = new WeakSet<IncomingMessage>();

export class Auth {
  /** Nothing is asked of a sender. */
  readonly open: boolean;
  /** Whether the first segment of a path may be a secret. */
  readonly hasSecretPath: boolean;
  /** For the `WWW-Authenticate` header. */
  readonly challenge: string;
  readonly #token: Buffer | undefined;
  readonly #basic: Buffer | undefined;
  readonly #path: Buffer | undefined;
  readonly #admin: Buffer | undefined;

  constructor(config: AuthConfig) {
    const path = config.path.replace(/^\/+|\/+$/g, '');
    this.#token = digestOf(config.token);
    this.#basic =
      config.username || config.password ? digest(`${config.username}:${config.password}`) : undefined;
    this.#path = digestOf(path);
    this.#admin = digestOf(config.adminToken);
    this.hasSecretPath = path !== '';
    this.open = !this.#token && !this.#basic && !this.#path;
    const schemes = [this.#basic && 'Basic', (this.#token || !this.#basic) && 'Bearer'].filter(Boolean);
    this.challenge = schemes.map(scheme => `${scheme} realm="tiercel"`).join(', ');
  }

  /**
   * Looks for the secret first segment. With it the request is let in, and its path goes on without it; undefined
   * when the segment is not the secret one.
   */
  enter(request: IncomingMessage, path: string): string | undefined {
    const { segment, rest } = firstSegment(path);
    if (!matches(this.#path, segment)) return undefined;
    enteredBySecret.add(request);
    return rest;
  }

  /** Whether the sender may post alerts and read. */
  allows(request: IncomingMessage): boolean {
    return enteredBySecret.has(request) || this.admits(request.headers.authorization);
  }

  /** Whether a sender with this `Authorization` header, and without the secret path, may post alerts and read. */
  admits(authorization: string | undefined): boolean {
    if (this.open) return true;
    const credentials = credentialsOf(authorization);
    if (credentials === undefined) return false;
    if (credentials.scheme === 'bearer') {
      return matches(this.#token, credentials.value) || matches(this.#admin, credentials.value);
    }
    return matches(this.#basic, Buffer.from(credentials.value, 'base64').toString());
  }

  /** Why the sender may not change anything; undefined when it may. */
  deniesChange(request: IncomingMessage): Denial | undefined {
    if (isForeignOrigin(request)) {
      return { status: 403, message: 'a page of another origin may not change anything here' };
    }
    if (this.#admin) {
      const credentials = credentialsOf(request.headers.authorization);
      if (credentials?.scheme === 'bearer' && matches(this.#admin, credentials.value)) return undefined;
      return { status: 401, message: 'this wants the admin token as a bearer token' };
    }
    if (!isLocal(request)) {
      return {
        status: 403,
        message: 'without an admin token in the configuration only this machine itself may change something',
      };
    }
    // A page that a browser on this machine has open could have its host name point here (DNS rebinding).
    if (!namesThisMachine(request.headers.host)) {
      return {
        status: 403,
        message: 'use localhost or an IP address as the host name, or set an admin token',
      };
    }
    return undefined;
  }
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function digestOf(secret: string): Buffer | undefined {
  return secret === '' ? undefined : digest(secret);
}

// Digests have one length, so that the time of the comparison tells nothing of the secret.
function matches(expected: Buffer | undefined, found: string): boolean {
  return expected !== undefined && timingSafeEqual(expected, digest(found));
}

function credentialsOf(authorization = ''): { scheme: 'bearer' | 'basic'; value: string } | undefined {
  const match = /^(bearer|basic) +(\S+) *$/i.exec(authorization);
  return match ? { scheme: match[1]!.toLowerCase() as 'bearer' | 'basic', value: match[2]! } : undefined;
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

function isLocal(request: IncomingMessage): boolean {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const loopback = address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
  return loopback && FORWARDED.every(name => request.headers[name] === undefined);
}

function namesThisMachine(host: string | undefined): boolean {
  // Every browser names a host; what does not (HTTP/1.0) is none.
  if (host === undefined) return true;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isIP(bareHost(name)) !== 0;
}

function isForeignOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return false;
  const from = URL.parse(origin);
  return from === null || from.host !== withoutDefaultPort(from.protocol, host);
}

// Browsers leave the scheme's own port out of Origin, other clients may write it into Host.
function withoutDefaultPort(protocol: string, host = ''): string | undefined {
  return URL.parse(`${protocol}//${host}`)?.host;
}
