import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { flag, integer, oneOf, secret, text } from '../../core/keys.ts';
import { parseAddress } from './address.ts';
import { MqttOutput } from './output.ts';

/** MQTT 5, 4.7.3: a topic has 1 to 65,535 bytes and no null character; a name that is published to has no wildcards. */
const MAX_TOPIC_BYTES = 65_535;

export default defineOutput({
  name: 'mqtt',
  title: 'MQTT',
  category: 'queue',
  docs: 'Publishes each alert to a topic of an MQTT broker. See mqtt.org.',
  keys: z.object({
    broker: secret(
      'Broker as tcp://host:port, or ssl://, ws:// or wss:// for TLS and WebSockets. Setting it turns the output on.',
    ),
    topic: text('Topic to publish to.', 'falco/events'),
    qos: integer(
      'Quality of service: 0, 1 (the broker acknowledges each alert) or 2 (with a second handshake).',
      0,
      { max: 2 },
    ),
    retained: flag('The broker keeps the last alert for later subscribers.'),
    user: text('User name.'),
    password: secret('Password.'),
    clientid: text(
      'Client id, which has to differ from that of every other client; empty for one by chance.',
    ),
    version: oneOf(
      'Version of MQTT. With 5 a broker says so when it does not take an alert; with 3.1.1 it drops it without a word.',
      ['3.1.1', '5'],
      '3.1.1',
    ),
  }),
  tls: true,
  enabled: config => config.broker !== '',
  check(config) {
    const problems: { path: string; message: string }[] = [];
    try {
      parseAddress(config.broker);
    } catch (error) {
      problems.push({ path: 'broker', message: (error as Error).message });
    }
    const bytes = Buffer.byteLength(config.topic);
    if (bytes === 0 || bytes > MAX_TOPIC_BYTES || /[+#\0]/.test(config.topic)) {
      problems.push({ path: 'topic', message: 'expected a topic without the wildcards + and #' });
    }
    return problems;
  },
  // One batch at a time keeps the order; meanwhile the next one grows.
  batch: { items: 200, bytes: 4 * 2 ** 20, waitMs: 5 },
  concurrency: 1,
  async open(config, host) {
    return new MqttOutput(await import('mqtt'), config, host);
  },
  example: { broker: 'tcp://mqtt.example:1883', qos: 1 },
});
