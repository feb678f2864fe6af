import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Authority } from './certificates.ts';
import { findProgram, freePorts, launch, listens, type Running, scratch } from './process.ts';

const run = promisify(execFile);

/** Debian's own wrapper wants to be root or its user; the programs behind it do not. */
const PROGRAMS = '/usr/lib/rabbitmq/bin';

/** A user besides guest, with the right to everything. Others: `client`, and `reader`, who may not publish. */
export const USER = { username: 'ada', password: 'p@ss/w0rd:!' };

/** Why there is no RabbitMQ; undefined when there is one. */
export function missingRabbitmq(): string | undefined {
  return existsSync(join(PROGRAMS, 'rabbitmq-server')) && findProgram('epmd')
    ? undefined
    : 'rabbitmq-server is not installed';
}

export interface RabbitmqServer extends Pick<Running, 'freeze' | 'thaw'> {
  port: number;
  /** Its users may show a client certificate, whose common name is the user for auth_mechanism=external. */
  tlsPort: number;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Runs rabbitmqctl. */
  control(...args: string[]): Promise<string>;
  remove(): Promise<void>;
}

/** Who there is and what they may do: https://www.rabbitmq.com/docs/definitions. */
function definitions() {
  const users = { guest: 'guest', [USER.username]: USER.password, client: 'unused', reader: 'reader' };
  const all = { configure: '.*', write: '.*', read: '.*' };
  return {
    users: Object.entries(users).map(([name, password]) => ({
      name,
      tags: name === 'guest' ? 'administrator' : '',
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      password_hash: passwordHash(password),
    })),
    vhosts: [{ name: '/' }, { name: 'a/b' }],
    permissions: [
      ...Object.keys(users).map(user => ({
        ...all,
        user,
        vhost: '/',
        write: user === 'reader' ? '^$' : '.*',
      })),
      { ...all, user: USER.username, vhost: 'a/b' },
    ],
  };
}

/** Salt and salted SHA-256: https://www.rabbitmq.com/docs/passwords#computing-password-hash. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}

/** Starts a server with a node, a port mapper and data of its own. */
export async function startRabbitmq(authority: Authority): Promise<RabbitmqServer> {
  const folder = await scratch('rabbitmq');
  const [port, tlsPort, distribution, mapperPort] = (await freePorts(4)) as [number, number, number, number];
  const home = join(folder.path, 'home');
  const data = join(folder.path, 'data');
  await Promise.all([home, data].map(path => mkdir(path)));
  const file = (name: string) => join(folder.path, name);
  await writeFile(
    file('rabbit.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
      `ssl_options.cacertfile = ${authority.caFile}`,
      `ssl_options.certfile = ${authority.server.certFile}`,
      `ssl_options.keyfile = ${authority.server.keyFile}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = false',
      'ssl_cert_login_from = common_name',
      'auth_mechanisms.1 = PLAIN',
      'auth_mechanisms.2 = AMQPLAIN',
      'auth_mechanisms.3 = EXTERNAL',
      `load_definitions = ${file('definitions.json')}`,
      'log.console = true',
      'log.file = false',
    ].join('\n'),
  );
  await writeFile(file('definitions.json'), JSON.stringify(definitions()));
  await writeFile(file('plugins'), '[rabbitmq_auth_mechanism_ssl].');
  const env = {
    HOME: home,
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: data,
    RABBITMQ_LOG_BASE: data,
    RABBITMQ_CONFIG_FILE: file('rabbit.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: file('plugins'),
    RABBITMQ_PID_FILE: file('pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+sbwt none +S 2:2 -kernel inet_dist_use_interface {127,0,0,1}',
  };
  const mapper = await launch({
    command: findProgram('epmd')!,
    args: ['-port', String(mapperPort), '-address', '127.0.0.1'],
    ready: () => listens(mapperPort),
    withinMs: 15_000,
  });
  let running: Running | undefined;
  const control = async (...args: string[]) => {
    const { stdout } = await run(join(PROGRAMS, 'rabbitmqctl'), args, { env: { ...process.env, ...env } });
    return stdout;
  };
  const server: RabbitmqServer = {
    port,
    tlsPort,
    control,
    // The wrapper script hands the signal on to the node.
    stop: async () => running?.stop(),
    freeze: () => running?.freeze(),
    thaw: () => running?.thaw(),
    start: async () => {
      running = await launch({
        command: join(PROGRAMS, 'rabbitmq-server'),
        args: [],
        env,
        ready: () => listens(port),
        withinMs: 60_000,
      });
    },
    remove: async () => {
      await running?.stop();
      await mapper.stop();
      await folder.remove();
    },
  };
  await server.start();
  return server;
}
