/** One connection to Redis, from signing in to hanging up. */
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type * as Redis from '@redis/client';
import { RetriableError } from '../../core/errors.ts';
import { hangUp, type Link } from '../_kit/link.ts';
import { isLoss, isWrongServer, toFailure, unexpected } from './failures.ts';

const CONNECT_MS = 5000;
const CLOSE_MS = 2000;

/** A command in its parts, as the wire has them. */
export type Command = readonly (string | Buffer)[];

export interface SessionOptions {
  createClient: typeof Redis.createClient;
  host: string;
  port: number;
  username: string;
  password: string;
  database: number;
  /** Absent: no TLS. */
  tls: ConnectionOptions | undefined;
}

type Client = ReturnType<typeof toClient>;

function toClient({ createClient, host, port, username, password, database, tls }: SessionOptions) {
  return createClient({
    socket: {
      host,
      port,
      connectTimeout: CONNECT_MS,
      // A connection that breaks fails what is under way; the next try opens another.
      reconnectStrategy: false,
      ...(tls && { tls: true, ...(isIP(host) === 0 && { servername: host }), ...tls }),
    },
    ...(password && { password, ...(username && { username }) }),
    database,
    disableOfflineQueue: true,
    // What servers of every age speak; the answers here are the same.
    RESP: 2,
    maintNotifications: 'disabled',
    disableClientInfo: true,
  });
}

/** Connects, signs in and chooses the database. @throws RetriableError */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const client = toClient(options);
  const session = new Session(client);
  const late = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  const giveUp = () => session.destroy();
  late.addEventListener('abort', giveUp, { once: true });
  try {
    await client.connect();
    return session;
  } catch (error) {
    session.destroy();
    if (!late.aborted) throw toFailure(error);
    throw new RetriableError('the server does not answer', { reason: 'timeout', cause: error });
  } finally {
    late.removeEventListener('abort', giveUp);
  }
}

export class Session implements Link {
  readonly #client: Client;
  readonly #lost = new AbortController();

  constructor(client: Client) {
    this.#client = client;
    client.on('error', error => this.#lose(error));
    client.on('end', () => this.#lose(undefined));
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Writes commands one behind the other without waiting between them.
   * @param confirms whether an answer is one to such a command; after another one the connection is given up
   * @param confirmed called with the place of each command as soon as it is confirmed
   * @returns the failure of each in its place, undefined where the answer confirms it
   */
  async pipeline(
    commands: readonly Command[],
    confirms: (answer: unknown) => boolean,
    confirmed?: (index: number) => void,
  ): Promise<(unknown | undefined)[]> {
    let misunderstood = false;
    const failures = await Promise.all(
      commands.map((command, index) =>
        this.#client.sendCommand([...command]).then(
          answer => {
            if (confirms(answer)) return confirmed?.(index);
            misunderstood = true;
            return unexpected();
          },
          (error: unknown) => error,
        ),
      ),
    );
    const told = failures.find(isWrongServer);
    if (told || misunderstood) this.destroy();
    // What the server said before it hung up tells more than that it did.
    return failures.map(failure => (isLoss(failure) ? (told ?? this.lost.reason ?? failure) : failure));
  }

  close(): Promise<void> {
    return hangUp(this, () => this.#client.close(), CLOSE_MS);
  }

  destroy(): void {
    this.#lose(undefined);
  }

  #lose(error: unknown): void {
    if (this.lost.aborted) return;
    this.#lost.abort(
      toFailure(error ?? new RetriableError('the connection was lost', { reason: 'network' })),
    );
    this.#client.destroy();
  }
}
