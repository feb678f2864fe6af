import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { chown, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Authority } from './certificates.ts';
import { freePort, launch, type Running, scratch } from './process.ts';

const run = promisify(execFile);
const ROOT = '/usr/lib/postgresql';

function binFolder(): string | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map(version => join(ROOT, version, 'bin')).find(bin => existsSync(join(bin, 'initdb')));
}

/** Why there is no PostgreSQL; undefined when there is one. */
export function missingPostgres(): string | undefined {
  return binFolder() ? undefined : 'postgresql is not installed';
}

export interface PostgresServer {
  port: number;
  /** Runs SQL as the superuser in the database falco; the rows of the last statement. */
  sql<T extends pg.QueryResultRow = Record<string, unknown>>(text: string, database?: string): Promise<T[]>;
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** The columns that falcosidekick fills. */
export const COLUMNS =
  'time timestamptz NOT NULL, rule text, priority text, source text, output text, tags text, hostname text';

/**
 * Starts PostgreSQL with a database falco and users postgres (password postgres) and root, for the tests themselves.
 * @param options.rules lines of pg_hba.conf, in place of those that let everybody in with a password
 */
export async function startPostgres(
  options: { authority?: Authority; rules?: string[] } = {},
): Promise<PostgresServer> {
  const bin = binFolder()!;
  const folder = await scratch('postgres');
  const data = join(folder.path, 'data');
  const port = await freePort();
  const { authority, rules = ['host all all 127.0.0.1/32 scram-sha-256'] } = options;
  // The server refuses to run as root.
  const asRoot = process.getuid?.() === 0;
  const user = asRoot ? await idsOf('postgres') : undefined;
  const own = async (path: string) => user && (await chown(path, user.uid, user.gid));
  const as = (command: string, args: string[]): [string, string[]] =>
    user
      ? ['setpriv', [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', command, ...args]]
      : [command, args];
  await own(folder.path);
  const passwordFile = join(folder.path, 'password');
  await writeFile(passwordFile, 'postgres');
  await own(passwordFile);
  await run(
    ...as(join(bin, 'initdb'), [
      ...['-D', data, '-U', 'postgres', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256'],
      ...['-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    ]),
    { cwd: folder.path },
  );
  await writeFile(join(data, 'pg_hba.conf'), ['local all all trust', ...rules, ''].join('\n'));
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder.path}`,
    'shared_buffers=32MB',
  ];
  if (authority) {
    const keyFile = join(folder.path, 'server.key');
    await copyFile(authority.server.keyFile, keyFile);
    chmodSync(keyFile, 0o600);
    await own(keyFile);
    const copies = { ssl_cert_file: authority.server.certFile, ssl_ca_file: authority.caFile };
    for (const [name, file] of Object.entries(copies)) {
      const copy = join(folder.path, `${name}.pem`);
      await copyFile(file, copy);
      await own(copy);
      settings.push(`${name}=${copy}`);
    }
    settings.push('ssl=on', `ssl_key_file=${keyFile}`);
  }
  const sql = async <T extends pg.QueryResultRow>(text: string, database = 'falco') => {
    const client = new pg.Client({ host: folder.path, port, user: 'postgres', database });
    await client.connect();
    try {
      const result: unknown = await client.query(text);
      return (Array.isArray(result) ? result.at(-1) : result).rows as T[];
    } finally {
      await client.end();
    }
  };
  let running: Running | undefined;
  const start = async () => {
    const [command, args] = as(join(bin, 'postgres'), [
      ...['-D', data, '-p', String(port)],
      ...settings.flatMap(setting => ['-c', setting]),
    ]);
    const ready = async () => (await sql('SELECT 1', 'postgres')).length === 1;
    running = await launch({ command, args, ready, withinMs: 30_000 });
  };
  // SIGINT: "fast shutdown", which ends sessions instead of waiting for them.
  const stop = async () => running?.stop('SIGINT');
  await start();
  await sql('CREATE DATABASE falco', 'postgres');
  return {
    port,
    sql,
    start,
    stop,
    remove: async () => {
      await stop();
      await folder.remove();
    },
  };
}

async function idsOf(user: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await run('id', [flag, user])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
