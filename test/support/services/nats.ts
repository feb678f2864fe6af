import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { findProgram, freePort, listens, type Restartable, restartable, scratch } from './process.ts';

/**
 * What streams may reserve on a server. Its own default is three quarters of the disk's free space at the start: the
 * same test would get its streams on one machine and `insufficient storage` on another.
 */
export const STORE = '100GB';

/** Why there is no NATS server; undefined when there is one. */
export function missingNats(): string | undefined {
  return findProgram('nats-server') ? undefined : 'nats-server is not installed';
}

export interface NatsServer extends Pick<Restartable, 'freeze' | 'thaw'> {
  port: number;
  /** Of the process that runs at the moment. */
  pid(): number;
  /** Clients connected at the moment. */
  connections(): Promise<number>;
  /** Ends the server; its streams stay. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Leaves a stream no more than its first messages, as a machine without power does. Only while the server is stopped. */
  loseEnd(stream: string, left: number): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Starts nats-server with JetStream. `extra` goes into its configuration file as it is; any free port unless given. */
export async function startNats(extra = '', wantedPort?: number): Promise<NatsServer> {
  const folder = await scratch('nats');
  const port = wantedPort ?? (await freePort());
  const monitor = await freePort();
  const file = join(folder.path, 'nats.conf');
  const settings = [
    `listen: "127.0.0.1:${port}"`,
    `http: "127.0.0.1:${monitor}"`,
    `jetstream { store_dir: "${join(folder.path, 'streams')}", max_file_store: ${STORE} }`,
    extra,
  ];
  await writeFile(file, settings.join('\n'));
  const server = await restartable(
    {
      command: findProgram('nats-server')!,
      args: ['-c', file],
      ready: () => listens(port),
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    port,
    loseEnd: (stream, left) => loseEnd(join(folder.path, 'streams'), stream, left),
    connections: async () => {
      const response = await fetch(`http://127.0.0.1:${monitor}/connz`);
      return ((await response.json()) as { num_connections: number }).num_connections;
    },
  };
}

/**
 * Cuts a stream in the folder of a server that does not run. Each record of a block begins with its length, in which the
 * highest bit is a flag (server/filestore.go of nats-server).
 */
export async function loseEnd(store: string, stream: string, left: number): Promise<void> {
  const folder = join(store, 'jetstream', '$G', 'streams', stream, 'msgs');
  const block = join(folder, '1.blk');
  const bytes = await readFile(block);
  let end = 0;
  for (let message = 0; message < left; message++) end += bytes.readUInt32LE(end) & 0x7f_ff_ff_ff;
  await truncate(block, end);
  // What it has noted besides is no older.
  for (const name of ['index.db', '1.idx', '1.fss']) await rm(join(folder, name), { force: true });
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A server's trust in an operator, and a credentials file of one user under it. */
export function createCredentials(): { settings: string; credentials: string } {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const limits = { subs: -1, data: -1, payload: -1 };
  const ofAccount = (pair: KeyPair) =>
    toJwt(operator, pair, {
      type: 'account',
      limits: { ...limits, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
    });
  const settings = [
    `operator: ${toJwt(operator, operator, { type: 'operator', system_account: system.getPublicKey() })}`,
    `system_account: ${system.getPublicKey()}`,
    'resolver: MEMORY',
    `resolver_preload: { ${[system, account].map(pair => `${pair.getPublicKey()}: ${ofAccount(pair)}`).join(', ')} }`,
  ];
  const framed = (kind: string, text: string) =>
    `-----BEGIN ${kind}-----\n${text}\n------END ${kind}------\n`;
  const jwt = toJwt(account, user, { type: 'user', ...limits, pub: {}, sub: {} });
  return {
    settings: settings.join('\n'),
    credentials:
      framed('NATS USER JWT', jwt) + framed('USER NKEY SEED', Buffer.from(user.getSeed()).toString()),
  };
}

/** A claim about a key, signed by another. Format: docs.nats.io, decentralized JWT authentication (version 2). */
function toJwt(issuer: KeyPair, subject: KeyPair, claims: Record<string, unknown>): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = {
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    nats: { version: 2, ...claims },
  };
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(body)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
