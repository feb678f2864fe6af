/** One connection to a NATS server or cluster, with whatever it wants to be told: credentials, TLS. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type * as Transport from '@nats-io/transport-node';
import { toFailure } from './failures.ts';
import { parseServers } from './servers.ts';

/** How to sign in; what is empty is not used, and the first that is set wins. */
export interface NatsLogin {
  /** Text of a .creds file, or the path of one. */
  credentials: string;
  /** Seed of an NKey. */
  nkey: string;
  token: string;
  username: string;
  password: string;
}

export interface NatsTarget {
  /** As `parseServers` reads them. */
  servers: readonly string[];
  login: NatsLogin;
  tls: TlsOptions;
  /** TLS was set up for this server, which says that it is likely to want it. */
  expectsTls: boolean;
  /** Shown in the server's monitoring. */
  name: string;
}

/** How long a server may take to say hello, in milliseconds. */
const CONNECT_MS = 5000;
const RECONNECT_MS = 500;
/** The connection ends when the third is due and two were not answered: the next server is tried. */
const PING_MS = 5_000;

/**
 * Connects once; the connection reconnects by itself from then on.
 * @throws what the client throws, see `toFailure`
 */
export async function connectNats(
  transport: typeof Transport,
  target: NatsTarget,
): Promise<Transport.NatsConnection> {
  const { addresses, secure, ...inAddress } = parseServers(target.servers);
  const options: Transport.NodeConnectionOptions = {
    servers: addresses,
    name: target.name,
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    pingInterval: PING_MS,
    noAsyncTraces: true,
    ...(await signIn(transport, target.login, inAddress)),
  };
  // The package hands these on to tls.connect, but declares only some of them.
  const encrypted = { ...options, tls: target.tls as Transport.TlsOptions };
  if (secure) return transport.connect(encrypted);
  // Without tls:// in the address, TLS is used where the server wants it and not missed where it has none. The client
  // knows no such mode: it takes `tls` for a demand, and without it trusts only the authorities that Node brings.
  const [first, second] = target.expectsTls ? [encrypted, options] : [options, encrypted];
  try {
    return await transport.connect(first);
  } catch (error) {
    // Credentials that were refused are not offered again.
    if (toFailure(error).reason === 'auth') throw error;
    return await transport.connect(second).catch(other => {
      throw /'tls'/.test((other as Error).message) ? error : other;
    });
  }
}

async function signIn(
  transport: typeof Transport,
  { credentials, nkey, token, username, password }: NatsLogin,
  inAddress: { user?: string; password?: string; token?: string },
): Promise<Partial<Transport.NodeConnectionOptions>> {
  if (credentials) {
    const text = credentials.includes('-----BEGIN') ? credentials : await readFile(credentials, 'utf8');
    return { authenticator: transport.credsAuthenticator(Buffer.from(text)) };
  }
  if (nkey) return { authenticator: transport.nkeyAuthenticator(Buffer.from(nkey.trim())) };
  if (token) return { token };
  if (username) return { user: username, pass: password };
  if (inAddress.token !== undefined) return { token: inAddress.token };
  return inAddress.user === undefined ? {} : { user: inAddress.user, pass: inAddress.password };
}
