import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Authority } from './certificates.ts';
import { findProgram, freePort, type Restartable, restartable, scratch } from './process.ts';

const run = promisify(execFile);

/** Why there is no Redis; undefined when there is one. */
export function missingRedis(): string | undefined {
  return findProgram('redis-server') && findProgram('redis-cli')
    ? undefined
    : 'redis-server is not installed';
}

export interface RedisServer extends Pick<Restartable, 'freeze' | 'thaw'> {
  port: number;
  /** The port for TLS, where there are certificates. */
  tlsPort: number;
  /** Runs a command and gives its answer as text. */
  cli(...command: string[]): Promise<string>;
  /** Ends the server; its data stay. */
  stop(): Promise<void>;
  /** Starts it again on the same ports. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Starts redis-server, which writes every command to its disk at once. `extra` are more of its options. */
export async function startRedis(
  options: { extra?: string[]; password?: string; authority?: Authority } = {},
): Promise<RedisServer> {
  const folder = await scratch('redis');
  const [port, tlsPort] = [await freePort(), await freePort()];
  const { extra = [], password, authority } = options;
  const secured = authority
    ? ['--tls-port', String(tlsPort), '--tls-cert-file', authority.server.certFile, '--tls-key-file'].concat(
        authority.server.keyFile,
        ['--tls-ca-cert-file', authority.caFile],
      )
    : [];
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder.path, '--save', ''];
  args.push('--appendonly', 'yes', '--appendfsync', 'always', ...secured, ...extra);
  if (password) args.push('--requirepass', password);
  const cli = async (...command: string[]) => {
    const login = password ? { REDISCLI_AUTH: password } : {};
    const env = { ...process.env, ...login };
    const call = ['-h', '127.0.0.1', '-p', String(port), ...command];
    return (await run('redis-cli', call, { env, maxBuffer: 2 ** 26 })).stdout.replace(/\n$/, '');
  };
  const server = await restartable(
    {
      command: findProgram('redis-server')!,
      args,
      ready: async () => (await cli('PING')) === 'PONG',
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    port,
    tlsPort,
    cli,
  };
}
