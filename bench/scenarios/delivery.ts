/** What it costs to deliver: one webhook, many outputs, brokers. */

import { createAuthority } from '../../test/support/services/certificates.ts';
import { missingKafka, startKafka } from '../../test/support/services/kafka.ts';
import { missingNats, startNats } from '../../test/support/services/nats.ts';
import type { Scenario } from '../scenario.ts';
import type { HttpSinkKind } from '../sink-answers.ts';
import type { Stage } from '../stage.ts';
import { KAFKA_TOPIC } from '../subscribers.ts';
import { measureMaximum, measureRate } from './phases.ts';

const FIVE: readonly HttpSinkKind[] = ['slack', 'webhook', 'cloudevents', 'loki', 'alertmanager'];
/** CloudEvents has no setting for a certificate of one's own in falcosidekick. */
const FIVE_SECURE: readonly HttpSinkKind[] = ['slack', 'webhook', 'discord', 'loki', 'alertmanager'];
const TEN: readonly HttpSinkKind[] = [
  ...FIVE,
  'elasticsearch',
  'discord',
  'mattermost',
  'teams',
  'rocketchat',
];

const WINDOW = 2048;
const ANSWER_MS = 20;

type Played = Pick<Scenario, 'play' | 'steady'>;

function oneWebhook(isSecure: boolean): Played {
  const open = async (stage: Stage) => {
    const tls = isSecure ? await stage.certificate() : undefined;
    await stage.open([{ kind: 'webhook', tls }]);
    await stage.warmUp({ window: WINDOW });
  };
  return {
    steady: { open, load: { perSecond: 2000 } },
    async play(stage) {
      await open(stage);
      await measureMaximum(stage, WINDOW);
      await measureRate(stage, { prefix: 'at_2000_', perSecond: 2000, seconds: 8 });
      stage.set('connections_opened', stage.sinks[0]!.tally.count('connections'));
    },
  };
}

async function slowWebhook(stage: Stage): Promise<void> {
  const [sink] = await stage.open([{ kind: 'webhook' }]);
  await stage.warmUp({ perSecond: 40 });
  await sink!.behave({ delayMs: ANSWER_MS });
  await measureMaximum(stage, 256);
}

function fanOut(kinds: readonly HttpSinkKind[], isSecure = false): Played {
  const open = async (stage: Stage) => {
    const tls = isSecure ? await stage.certificate() : undefined;
    await stage.open(kinds.map(kind => ({ kind, tls })));
    await stage.warmUp({ window: 512 });
  };
  return {
    steady: { open, load: { perSecond: 1000 } },
    async play(stage) {
      await open(stage);
      for (const perSecond of [500, 1000]) {
        await measureRate(stage, { prefix: `at_${perSecond}_`, perSecond, seconds: 8 });
      }
      for (const count of ['connections', 'requests'] as const) {
        stage.set(
          `${count}_of_all_sinks`,
          stage.sinks.reduce((sum, { tally }) => sum + tally.count(count), 0),
        );
      }
      for (const { kind, tally } of stage.sinks) {
        if (tally.count('delivered') === 0) stage.note(`${kind}: nothing arrived`);
      }
    },
  };
}

async function throughBroker(stage: Stage, kind: 'nats' | 'kafka', server: string): Promise<void> {
  await stage.open([{ kind, server }]);
  await stage.warmUp({ window: WINDOW });
  await measureMaximum(stage, WINDOW);
  await measureRate(stage, { prefix: 'at_500_', perSecond: 500, seconds: 6 });
}

async function nats(stage: Stage): Promise<void> {
  const server = await startNats();
  stage.defer(() => server.remove());
  await throughBroker(stage, 'nats', `nats://127.0.0.1:${server.port}`);
}

async function kafka(stage: Stage): Promise<void> {
  const broker = await startKafka(await createAuthority(await stage.prepare(), 'broker'));
  stage.defer(() => broker.remove());
  await broker.admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic: KAFKA_TOPIC, numPartitions: 1 }],
  });
  await throughBroker(stage, 'kafka', broker.plain);
}

export const deliveryScenarios: Scenario[] = [
  { name: 'S2', title: 'one webhook: at the maximum, then at 2,000/s', ...oneWebhook(false) },
  { name: 'S2b', title: 'one webhook that takes 20 ms an answer: at the maximum', play: slowWebhook },
  { name: 'S2t', title: 'S2 over HTTPS', ...oneWebhook(true) },
  { name: 'S3', title: '5 HTTP outputs at 500/s and 1,000/s', ...fanOut(FIVE) },
  { name: 'S3b', title: '10 HTTP outputs at 500/s and 1,000/s', ...fanOut(TEN) },
  { name: 'S3t', title: '5 HTTPS outputs at 500/s and 1,000/s', ...fanOut(FIVE_SECURE, true) },
  {
    name: 'S9',
    title: 'NATS: at the maximum, then at 500/s',
    missing: missingNats,
    play: nats,
  },
  {
    name: 'S11',
    title: 'Kafka, one real broker: at the maximum, then at 500/s',
    missing: missingKafka,
    play: kafka,
  },
];
