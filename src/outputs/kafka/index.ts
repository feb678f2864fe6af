import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { flag, list, oneOf, secret, text } from '../../core/keys.ts';
import { mendAnswers } from './answers.ts';
import { BALANCERS } from './balancers.ts';
import { parseBroker } from './config.ts';
import { mendFrames } from './frames.ts';
import { KafkaOutput } from './output.ts';
import { mendRequestQueue } from './request-queue.ts';

/** What Kafka allows in the name of a topic. */
const TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

export default defineOutput({
  name: 'kafka',
  title: 'Apache Kafka',
  category: 'queue',
  docs: 'Produces each alert as a record with its JSON as value. See kafka.apache.org/documentation.',
  keys: z.object({
    hostport: list('Brokers as host:port, one or a comma list. Together with topic it turns the output on.'),
    topic: text('Topic to produce to.'),
    sasl: oneOf(
      'Mechanism to sign in with; empty for none.',
      ['', 'PLAIN', 'SCRAM_SHA256', 'SCRAM_SHA512', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
      '',
    ),
    tls: flag('Connects with TLS.'),
    username: text('User name for sasl.'),
    password: secret('Password for sasl.'),
    balancer: oneOf(
      'How partitions are chosen. One without a leader is left out where the choice is free; records whose key belongs to it wait.',
      BALANCERS,
      'round_robin',
    ),
    clientid: text('Name of this client in the logs and quotas of the brokers.', 'tiercel'),
    compression: oneOf('Compression of the records.', ['NONE', 'GZIP', 'SNAPPY', 'LZ4', 'ZSTD'], 'NONE'),
    async: flag(
      'Has no effect, alerts are sent in batches anyway. Known because falcosidekick has it, where it loses alerts.',
    ),
    requiredacks: oneOf(
      'Who has to confirm a record: ALL replicas in sync, ONE (the leader) or NONE. falcosidekick defaults to NONE, which hides every loss.',
      ['ALL', 'ONE', 'NONE'],
      'ALL',
    ),
    topiccreation: flag('Creates the topic, with the defaults of the cluster, when it is not there.'),
    key: text(
      'Key of the records: uuid, rule, priority, source, hostname or the name of an output field; none for no key.',
      'none',
    ),
  }),
  tls: true,
  enabled: config => config.hostport.length > 0 && config.topic !== '',
  check(config) {
    const problems: { path: string; message: string; hint?: string }[] = [];
    config.hostport.forEach((hostport, index) => {
      try {
        parseBroker(hostport);
      } catch (error) {
        const secure = /^(ssl|sasl_ssl|https):/i.test(hostport);
        const hint = secure ? 'leave the scheme out and set tls: true' : 'leave the scheme out';
        problems.push({
          path: 'hostport',
          message: `broker ${index + 1}: ${(error as Error).message}`,
          ...(hostport.includes('://') && { hint }),
        });
      }
    });
    if (!TOPIC.test(config.topic)) {
      problems.push({
        path: 'topic',
        message: 'expected at most 249 letters, digits, dots, underscores and hyphens',
      });
    }
    if (config.sasl !== '' && (config.username === '' || config.password === '')) {
      problems.push({ path: 'sasl', message: 'expected username and password along with it' });
    }
    return problems;
  },
  // A broker refuses over 1 MiB in one partition by default. One request at a time keeps the order; while one is on its
  // way the next batch grows. Where alerts are few a request costs up to a millisecond of CPU time whatever it carries, as
  // its code is cold by then: hence the wait. falcosidekick's client waits a second, or for a hundred alerts.
  batch: { items: 1000, bytes: 768 * 1024, waitMs: 100 },
  concurrency: 1,
  async open(config, host) {
    const mended = [mendRequestQueue(), mendFrames(), mendAnswers()];
    const [kafkajs] = await Promise.all([import('kafkajs'), ...mended]);
    return new KafkaOutput(kafkajs.default, config, host);
  },
  example: { hostport: 'kafka.example:9092', topic: 'falco' },
});
