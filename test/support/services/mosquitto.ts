import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Authority } from './certificates.ts';
import { findProgram, freePorts, listens, type Restartable, restartable, scratch } from './process.ts';

const run = promisify(execFile);

/** The user of the listener that wants one; everything but `secret/` is open to it. */
export const USER = { username: 'ada', password: 'p@ss/w0rd:!' };

/** Why there is no Mosquitto; undefined when there is one. */
export function missingMosquitto(): string | undefined {
  return findProgram('mosquitto') && findProgram('mosquitto_passwd')
    ? undefined
    : 'mosquitto is not installed';
}

export interface MosquittoServer extends Pick<Restartable, 'freeze' | 'thaw'> {
  /** Port of each listener: open to all, with a user, TLS, TLS with a client certificate, WebSockets without and with TLS. */
  ports: Record<'plain' | 'login' | 'tls' | 'mutualTls' | 'websocket' | 'secureWebsocket', number>;
  stop(): Promise<void>;
  /** Starts it again with the sessions and messages that it had. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a broker with a listener for each way of connecting. */
export async function startMosquitto(authority: Authority): Promise<MosquittoServer> {
  const folder = await scratch('mosquitto');
  const file = (name: string) => join(folder.path, name);
  const [plain, login, tls, mutualTls, websocket, secureWebsocket] = (await freePorts(6)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  await run(findProgram('mosquitto_passwd')!, ['-c', '-b', file('users'), USER.username, USER.password]);
  await chmod(file('users'), 0o600);
  await writeFile(file('rights'), `user ${USER.username}\ntopic readwrite #\ntopic deny secret/#\n`);
  const pair = [`certfile ${authority.server.certFile}`, `keyfile ${authority.server.keyFile}`];
  const open = 'allow_anonymous true';
  await writeFile(
    file('mosquitto.conf'),
    [
      'per_listener_settings true',
      // Otherwise it gives up the rights of root, and with them those to this folder.
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      'persistence true',
      `persistence_location ${folder.path}/`,
      'max_queued_messages 0',
      'max_packet_size 20000',
      `listener ${plain} 127.0.0.1`,
      open,
      `listener ${login} 127.0.0.1`,
      'allow_anonymous false',
      `password_file ${file('users')}`,
      `acl_file ${file('rights')}`,
      `listener ${tls} 127.0.0.1`,
      open,
      ...pair,
      `listener ${mutualTls} 127.0.0.1`,
      open,
      ...pair,
      `cafile ${authority.caFile}`,
      'require_certificate true',
      `listener ${websocket} 127.0.0.1`,
      open,
      'protocol websockets',
      `listener ${secureWebsocket} 127.0.0.1`,
      open,
      'protocol websockets',
      ...pair,
    ].join('\n'),
  );
  const server = await restartable(
    {
      command: findProgram('mosquitto')!,
      args: ['-c', file('mosquitto.conf')],
      ready: () => listens(plain),
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    ports: { plain, login, tls, mutualTls, websocket, secureWebsocket },
  };
}
