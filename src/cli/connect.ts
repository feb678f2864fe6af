/** From a command's options to the daemon it talks to. */
import type { ServerConfig } from '../core/config/types.ts';
import { ApiClient } from './api.ts';
import { CliError, EXIT } from './exit.ts';
import type { Context, Env } from './io.ts';

/** The options of every command that talks to a daemon. */
export interface DaemonOptions {
  url?: string;
  token?: string;
  ca?: string;
  cert?: string;
  key?: string;
  insecure?: boolean;
  /** A configuration file that says where the daemon listens and what its tokens are. */
  configFile?: string;
}

/** Runs a command with a client and closes it whatever happens. */
export async function withDaemon<T>(
  options: DaemonOptions,
  context: Context,
  use: (api: ApiClient) => Promise<T>,
): Promise<T> {
  const api = await connect(options, context.env);
  try {
    return await use(api);
  } finally {
    await api.close();
  }
}

/** @throws CliError (usage) when the options or the configuration cannot be used */
export async function connect(options: DaemonOptions, env: Env): Promise<ApiClient> {
  const configured = options.configFile === undefined ? undefined : await fromConfig(options.configFile, env);
  // A variable that is set but empty counts as not set, as in the configuration.
  const url = options.url ?? configured?.url ?? (env.TIERCEL_URL || localUrl(env.LISTENPORT || '2801'));
  const token = options.token ?? (env.TIERCEL_TOKEN || configured?.token || '');
  const { ca, cert, key, insecure } = options;
  return new ApiClient({ url, token, ca, cert, key, insecure }, env);
}

function localUrl(port: string): string {
  if (!/^\d{1,5}$/.test(port)) {
    throw new CliError(EXIT.usage, 'LISTENPORT is not a port number', 'give --url');
  }
  return `http://127.0.0.1:${port}`;
}

// The registry of all outputs comes with the configuration: only loaded where a file is given.
async function fromConfig(file: string, env: Env): Promise<{ url: string; token: string }> {
  const { readConfig } = await import('../configuration.ts');
  const { server } = readConfig({ file, env });
  return { url: serverUrl(server), token: server.auth.adminToken || server.auth.token };
}

/**
 * Where a daemon with these settings answers on its own machine. Holds the credentials that a URL can hold, when the
 * daemon knows no token: not to be shown.
 */
export function serverUrl(server: ServerConfig): string {
  const anywhere = ['', '0.0.0.0', '::'].includes(server.address);
  const host = anywhere ? '127.0.0.1' : server.address.includes(':') ? `[${server.address}]` : server.address;
  const url = new URL(`${server.tls ? 'https' : 'http'}://${host}:${server.port}`);
  const { token, adminToken, username, password, path } = server.auth;
  if (token || adminToken) return url.href;
  if (path) url.pathname = path;
  url.username = username;
  url.password = password;
  return url.href;
}
