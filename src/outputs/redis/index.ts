import { z } from 'zod';
import { type Alert, defineOutput } from '../../core/contract.ts';
import { flag, integer, oneOf, secret, text } from '../../core/keys.ts';
import { parseHostPort } from '../_kit/hostport.ts';
import { LinkKeeper, sendAll } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { toFailure } from './failures.ts';
import { type Command, openSession } from './session.ts';

const DEFAULT_PORT = 6379;

/** What puts the alert there. A hash has one place per alert, so one that is sent again changes nothing. */
export function toCommand({ uuid, bytes }: Alert, storage: 'list' | 'hashmap', key: string): Command {
  return storage === 'hashmap' ? ['HSET', key, uuid, bytes] : ['RPUSH', key, bytes];
}

/** RPUSH answers with the length of the list, HSET with the number of new fields: 0 for an alert that comes again. */
function isStored(answer: unknown, storage: 'list' | 'hashmap'): boolean {
  return Number.isInteger(answer) && (answer as number) >= (storage === 'list' ? 1 : 0);
}

export default defineOutput({
  name: 'redis',
  title: 'Redis',
  category: 'database',
  docs: 'Puts each alert as JSON at the end of a list, or into a hash under its id. See redis.io/docs/latest/commands/rpush and hset.',
  keys: z.object({
    address: text('Server as host:port; setting it turns the output on.'),
    username: text('User of the access control list; empty for the default user.'),
    password: secret('Password.'),
    database: integer('Number of the database.', 0),
    storagetype: oneOf('list (RPUSH) or hashmap (HSET, one field per alert).', ['list', 'hashmap'], 'list', {
      otherwise: 'list',
    }),
    key: text('Key of the list or hash.', 'falco'),
    tls: flag('Connects with TLS.'),
    cacertfile: text("Authorities trusted besides the system's, PEM: falcosidekick's name for `tls.ca`."),
    certfile: text("Client certificate, PEM: falcosidekick's name for `tls.cert`."),
    keyfile: text("Its private key, PEM: falcosidekick's name for `tls.key`."),
    version: integer('Has no effect, in falcosidekick neither.', 0),
  }),
  tls: true,
  enabled: config => config.address !== '',
  check(config) {
    const problems: { path: string; message: string; hint?: string }[] = [];
    try {
      parseHostPort(config.address, DEFAULT_PORT);
    } catch (error) {
      const secure = /^(rediss|https):/i.test(config.address);
      const hint = secure ? 'leave the scheme out and set tls: true' : 'leave the scheme out';
      problems.push({
        path: 'address',
        message: (error as Error).message,
        ...(config.address.includes('://') && { hint }),
      });
    }
    if (config.username !== '' && config.password === '') {
      problems.push({ path: 'username', message: 'expected a password along with it' });
    }
    return problems;
  },
  // A batch goes out at once and is awaited once. One at a time keeps the order; meanwhile the next batch grows.
  batch: { items: 500, bytes: 4 * 2 ** 20, waitMs: 5 },
  concurrency: 1,
  async open(config, host) {
    const { username, password, database, storagetype, key } = config;
    const { createClient } = await import('@redis/client');
    const tls = config.tls ? toTlsOptions(host.tls) : undefined;
    const options = {
      createClient,
      ...parseHostPort(config.address, DEFAULT_PORT),
      username,
      password,
      database,
      tls,
    };
    const links = new LinkKeeper(signal => openSession(options, signal));
    return {
      async send(alerts, { signal }) {
        const commands = alerts.map(alert => toCommand(alert, storagetype, key));
        const confirms = (answer: unknown) => isStored(answer, storagetype);
        const failed = await sendAll(
          links,
          alerts.length,
          async (session, tell) => {
            const failures = await session.pipeline(commands, confirms, tell);
            failures.forEach((failure, index) => {
              if (failure !== undefined) tell(index, toFailure(failure));
            });
          },
          signal,
        );
        settle(alerts.length, failed);
      },
      // Asks for the key: a user who may write to it need not be allowed a PING.
      probe: signal =>
        links.use(async session => {
          const [failure] = await session.pipeline([['TYPE', key]], answer => typeof answer === 'string');
          if (failure !== undefined && !/^NOPERM/.test((failure as Error).message)) throw toFailure(failure);
        }, signal),
      close: () => links.close(),
    };
  },
  example: { address: 'redis.example:6379' },
});
