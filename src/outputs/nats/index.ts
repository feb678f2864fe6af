import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { addresses, flag, secret, text } from '../../core/keys.ts';
import { parseServers } from '../../core/nats/servers.ts';
import { loadTransport } from '../../core/nats/transport.ts';
import { DEFAULT_SUBJECT, subjectProblem } from '../_kit/subject.ts';
import { NatsOutput } from './output.ts';

export default defineOutput({
  name: 'nats',
  title: 'NATS',
  category: 'queue',
  docs: 'Publishes to NATS subjects, with JetStream acknowledgements if wanted. See docs.nats.io.',
  keys: z.object({
    hostport: addresses(
      'Servers as nats://host:port, one or a comma list; tls:// or natss:// insists on TLS. Setting it turns the output on.',
    ),
    subjecttemplate: text('Subject; <priority> and <rule> are filled in.', DEFAULT_SUBJECT),
    jetstream: flag(
      'Waits until a JetStream stream has stored each alert; its id is sent as Nats-Msg-Id, so repeats are dropped.',
    ),
    stream: text(
      'Only this JetStream stream may store the alerts; empty for whichever listens to the subject.',
    ),
    username: text('User name.'),
    password: secret('Password.'),
    token: secret('Authentication token.'),
    nkey: secret('Seed of an NKey, SU...'),
    credentials: secret('Credentials (.creds): the text itself, or the path of the file.'),
  }),
  tls: true,
  enabled: config => config.hostport.length > 0,
  check(config) {
    const problems: { path: string; message: string; hint?: string }[] = [];
    try {
      parseServers(config.hostport);
    } catch (error) {
      problems.push({ path: 'hostport', message: (error as Error).message });
    }
    const template = subjectProblem(config.subjecttemplate);
    if (template) problems.push({ path: 'subjecttemplate', message: template });
    const ways = (['credentials', 'nkey', 'token', 'username'] as const).filter(way => config[way] !== '');
    if (ways.length > 1) {
      problems.push({ path: ways[1]!, message: `expected one way to sign in, found ${ways.join(' and ')}` });
    }
    if (config.stream !== '' && !config.jetstream) {
      problems.push({ path: 'stream', message: 'has no effect', hint: 'set jetstream: true' });
    }
    return problems;
  },
  // The server is asked once per batch, so a batch costs what one alert does.
  batch: { items: 500, bytes: 4 * 2 ** 20, waitMs: 5 },
  concurrency: 4,
  async open(config, host) {
    const [transport, jetstream] = await Promise.all([loadTransport(), import('@nats-io/jetstream')]);
    return new NatsOutput({ transport, jetstream }, config, host);
  },
  example: { hostport: 'nats://nats.example:4222' },
});
