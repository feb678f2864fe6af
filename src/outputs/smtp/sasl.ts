/** What the client says to sign in, by SASL mechanism. Pure. */

export type Mechanism = 'plain' | 'login' | 'oauthbearer' | 'external' | 'anonymous';

export interface Credentials {
  user: string;
  password: string;
  token: string;
  /** Who to act as, for PLAIN and EXTERNAL. */
  identity: string;
  /** What an anonymous client says of itself. */
  trace: string;
}

/** The client's part of the talk. */
export interface Conversation {
  /** Sent along with the command; absent when the server speaks first. */
  initial?: string;
  /** Answers to what the server asks, in turn. */
  answers: readonly string[];
}

/** @param server as the client calls it, for OAUTHBEARER */
export function conversation(
  mechanism: Mechanism,
  { user, password, token, identity, trace }: Credentials,
  server: { host: string; port: number },
): Conversation {
  switch (mechanism) {
    // RFC 4616
    case 'plain':
      return { initial: `${identity}\0${user}\0${password}`, answers: [] };
    case 'login':
      return { answers: [user, password] };
    // RFC 7628: a refused token is answered with the reason, which the client has to acknowledge by one byte.
    case 'oauthbearer': {
      const name = user === '' ? '' : `a=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')}`;
      const pairs = [`host=${server.host}`, `port=${server.port}`, `auth=Bearer ${token}`];
      return { initial: `n,${name},\x01${pairs.join('\x01')}\x01\x01`, answers: ['\x01'] };
    }
    // RFC 4422, appendix A
    case 'external':
      return { initial: identity, answers: [] };
    // RFC 4505
    case 'anonymous':
      return { initial: trace, answers: [] };
  }
}

/** What a mechanism cannot do without, by the names of the keys. */
export function missingCredentials(mechanism: Mechanism, given: Credentials): string[] {
  const wanted = {
    // Without either there is nothing to sign in with, and none is tried: this is the default.
    plain: given.user === '' && given.password === '' ? [] : (['user', 'password'] as const),
    login: ['user', 'password'] as const,
    oauthbearer: ['token'] as const,
    external: [],
    anonymous: [],
  }[mechanism];
  return wanted.filter(key => given[key] === '');
}

/** A line of the SASL profile of SMTP (RFC 4954): base64, where an empty first one is `=`. */
export function authCommand(mechanism: Mechanism, { initial }: Conversation): string {
  const command = `AUTH ${mechanism.toUpperCase()}`;
  return initial === undefined ? command : `${command} ${toBase64(initial) || '='}`;
}

export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}
