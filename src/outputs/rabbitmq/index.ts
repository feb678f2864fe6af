import type * as Amqplib from 'amqplib';
import { z } from 'zod';
import {
  type Alert,
  type Cancellation,
  defineOutput,
  type Host,
  type Output,
  type SendContext,
} from '../../core/contract.ts';
import { secretUrl, text } from '../../core/keys.ts';
import { LinkKeeper, sendEach } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { parseAddress } from './address.ts';
import { openSession, type Session } from './session.ts';

/** What AMQP takes as a name: a short string. */
const MAX_QUEUE_BYTES = 255;

interface RabbitmqConfig {
  url: string;
  queue: string;
}

export default defineOutput({
  name: 'rabbitmq',
  title: 'RabbitMQ',
  category: 'queue',
  docs: 'Publishes each alert to a queue, persistent and confirmed by the server. See rabbitmq.com/docs/confirms.',
  keys: z.object({
    url: secretUrl(
      'Server as amqp://user:password@host:port/vhost, or amqps://; ?auth_mechanism=external signs in with the client certificate. Together with queue it turns the output on.',
      ['amqp', 'amqps'],
    ),
    queue: text('Queue to publish to. It is not created: while it is not there, alerts wait.'),
  }),
  tls: true,
  enabled: config => config.url !== '' && config.queue !== '',
  check(config) {
    const problems: { path: string; message: string }[] = [];
    try {
      parseAddress(config.url);
    } catch (error) {
      problems.push({ path: 'url', message: (error as Error).message });
    }
    if (Buffer.byteLength(config.queue) > MAX_QUEUE_BYTES) {
      problems.push({ path: 'queue', message: `expected at most ${MAX_QUEUE_BYTES} bytes` });
    }
    return problems;
  },
  // A batch goes out at once and is awaited once. One at a time keeps the order; meanwhile the next batch grows.
  batch: { items: 500, bytes: 4 * 2 ** 20, waitMs: 5 },
  concurrency: 1,
  async open(config, host) {
    return new RabbitmqOutput(await import('amqplib'), config, host);
  },
  example: { url: 'amqp://user:password@rabbitmq.example:5672/', queue: 'falco' },
});

class RabbitmqOutput implements Output {
  readonly #links: LinkKeeper<Session>;

  constructor(amqplib: typeof Amqplib, { url, queue }: RabbitmqConfig, { tls, log }: Host) {
    const address = parseAddress(url);
    const options = { amqplib, address, tls: address.secure ? toTlsOptions(tls) : undefined, queue, log };
    this.#links = new LinkKeeper(signal => openSession(options, signal));
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const publish = async (session: Session, alert: Alert) => {
      try {
        await session.publish(alert);
      } finally {
        if (!signal.aborted) session.forget(alert);
      }
    };
    settle(alerts.length, await sendEach(this.#links, alerts, publish, signal));
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#links.use(session => session.check(), signal);
  }

  close(): Promise<void> {
    return this.#links.close();
  }
}
