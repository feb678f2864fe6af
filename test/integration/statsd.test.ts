import { afterAll, expect, test } from 'vitest';
import type { Count, Host, Output } from '../../src/core/contract.ts';
import dogstatsd from '../../src/outputs/dogstatsd.ts';
import statsd from '../../src/outputs/statsd.ts';
import { Sink, TestDaemon, until } from '../e2e/support.ts';
import { falcoAlert } from '../support/services/alerts.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import {
  missingStatsd,
  missingStatsdExporter,
  type Statsd,
  startStatsd,
  startStatsdExporter,
} from '../support/services/statsd.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(): Promise<Statsd> {
  const started = await startStatsd();
  cleanup.push(() => started.remove());
  return started;
}

type Sent = [messages: number, outcome: string];

/** A host whose counts can be moved, and what it was told of sends. */
function counting(before: readonly Count[] = []) {
  const counts = { accepted: 0, ok: 0 };
  const sent: Sent[] = [];
  const host: Host = {
    ...hostOf(),
    counts: (): Count[] => [
      { of: 'inputs', labels: { source: 'requests', status: 'accepted' }, value: counts.accepted },
      { of: 'outputs', labels: { destination: 'slack', status: 'ok' }, value: counts.ok },
    ],
    countedBefore: before,
    sent: (messages, _durationMs, outcome) => void sent.push([messages, outcome]),
  };
  return { host, counts, sent };
}

async function output(port: number, host: Host, config: Record<string, unknown> = {}): Promise<Output> {
  const forwarder = `127.0.0.1:${port}`;
  const opened = await openOutput(statsd, { forwarder, interval: '100ms', ...config }, host);
  cleanup.push(() => opened.close!());
  return opened;
}

/** falcosidekick's counters at the server, as soon as they are those. */
async function expectCounters(from: Statsd, expected: Record<string, number>, prefix = 'falcosidekick.') {
  const read = async () =>
    Object.fromEntries(Object.entries(await from.counters()).filter(([name]) => name.startsWith(prefix)));
  await expect.poll(read).toEqual(expected);
}

describeWith('statsd', missingStatsd(), () => {
  test('alerts as they are delivered, and the counts of the daemon on a period', async () => {
    const far = await server();
    const { host, counts, sent } = counting();
    counts.accepted = 3;
    counts.ok = 2;
    const sender = await output(far.port, host, { inputtags: false });
    await trySend(sender, [falcoAlert(), falcoAlert({ priority: 'critical' }), falcoAlert()]);
    const first = {
      'falcosidekick.falco.accepted.Warning': 2,
      'falcosidekick.falco.accepted.Critical': 1,
      'falcosidekick.total': 3,
      'falcosidekick.inputs.requests.accepted': 3,
      'falcosidekick.outputs.slack.ok': 2,
    };
    await expectCounters(far, first);
    counts.ok = 7;
    await expectCounters(far, { ...first, 'falcosidekick.outputs.slack.ok': 7 });
    await expect
      .poll(() => sent)
      .toEqual([
        [3, 'ok'],
        [1, 'ok'],
      ]);
    expect((await far.counters())['statsd.bad_lines_seen']).toBe(0);
  });

  test("falcosidekick's lines with tags stand beside the dotted ones", async () => {
    const far = await server();
    await trySend(await output(far.port, counting().host), [falcoAlert()]);
    await expectCounters(far, {
      'falcosidekick.falco.accepted.Warning': 1,
      'falcosidekick.falco.accepted;priority=Warning': 1,
    });
  });

  test('what was counted before the output came is not told', async () => {
    const far = await server();
    const labels = { source: 'requests', status: 'accepted' };
    const { host, counts } = counting([{ of: 'inputs', labels, value: 40 }]);
    counts.accepted = 42;
    await output(far.port, host);
    await expectCounters(far, { 'falcosidekick.total': 2, 'falcosidekick.inputs.requests.accepted': 2 });
  });

  test('a server that is away gets later what it missed', async () => {
    const far = await server();
    await far.stop();
    const { host, counts, sent } = counting();
    const sender = await output(far.port, host, { inputtags: false });
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
    counts.ok = 5;
    await expect.poll(() => sent).toContainEqual([1, 'network']);
    await far.start();
    await deliver(sender, [falcoAlert()], 1);
    await expectCounters(far, {
      'falcosidekick.falco.accepted.Warning': 1,
      'falcosidekick.outputs.slack.ok': 5,
    });
  });

  test('many counters go in several datagrams, and what is left goes out in the end', async () => {
    const far = await server();
    const many = Array.from({ length: 200 }, (_, index): Count => {
      return { of: 'outputs', labels: { destination: `output${index}`, status: 'ok' }, value: index + 1 };
    });
    const host = { ...counting().host, counts: () => many };
    const sender = await output(far.port, host, { interval: '1h' });
    await sender.close!();
    const expected = many.map(({ labels, value }) => [
      `falcosidekick.outputs.${labels.destination}.ok`,
      value,
    ]);
    await expectCounters(far, Object.fromEntries(expected));
  });

  test('the whole daemon: inputs, refusals, outputs, and what is left at the end', async () => {
    const far = await server();
    const sink = new Sink();
    await sink.start();
    const daemon = new TestDaemon();
    cleanup.push(
      () => daemon.remove(),
      () => sink.stop(),
    );
    await daemon.start({
      statsd: { forwarder: `127.0.0.1:${far.port}`, namespace: 'sk.', inputtags: false, interval: '200ms' },
      webhook: { address: `http://127.0.0.1:${sink.port}` },
    });
    const alert = { ...JSON.parse(falcoAlert().json), uuid: undefined };
    for (let count = 0; count < 5; count++) expect(await daemon.post(alert)).toBe(200);
    expect(await daemon.post({ not: 'falco' })).toBe(400);
    const counted = {
      'sk.falco.accepted.Warning': 5,
      'sk.inputs.requests.accepted': 5,
      'sk.inputs.requests.rejected.invalidjson': 1,
      'sk.outputs.webhook.ok': 5,
      'sk.total': 6,
    };
    await expectCounters(far, counted, 'sk.');
    const metrics = await daemon.get('/metrics');
    expect(metrics.text).toContain('outputs_total{destination="statsd",status="ok"}');
    expect(await daemon.post({})).toBe(400);
    await daemon.end();
    await expectCounters(
      far,
      { ...counted, 'sk.total': 7, 'sk.inputs.requests.rejected.invalidjson': 2 },
      'sk.',
    );
  });

  test('an output that is changed while the daemon runs tells nothing twice', async () => {
    const far = await server();
    const daemon = new TestDaemon();
    cleanup.push(() => daemon.remove());
    const settings = (namespace: string) => ({
      statsd: { forwarder: `127.0.0.1:${far.port}`, namespace, inputtags: false, interval: '200ms' },
    });
    await daemon.start(settings('one.'));
    const alert = { ...JSON.parse(falcoAlert().json), uuid: undefined };
    await daemon.post(alert);
    await expectCounters(
      far,
      { 'one.total': 1, 'one.inputs.requests.accepted': 1, 'one.falco.accepted.Warning': 1 },
      'one.',
    );
    daemon.configure(settings('two.'));
    daemon.signal('SIGHUP');
    await until('the change is taken up', () => daemon.logs.includes('configuration reloaded'));
    await daemon.post(alert);
    await expectCounters(
      far,
      { 'two.total': 1, 'two.inputs.requests.accepted': 1, 'two.falco.accepted.Warning': 1 },
      'two.',
    );
  });
});

describeWith('dogstatsd', missingStatsdExporter(), () => {
  test('tags are read as meant', async () => {
    const far = await startStatsdExporter();
    cleanup.push(() => far.stop());
    const { host, counts } = counting();
    counts.ok = 2;
    const config = { forwarder: `127.0.0.1:${far.port}`, tags: ['env:stage'], interval: '100ms' };
    const sender = await openOutput(dogstatsd, config, host);
    cleanup.push(() => sender.close!());
    await trySend(sender, [falcoAlert(), falcoAlert()]);
    await expect
      .poll(() => far.metrics())
      .toContain('falcosidekick_outputs{env="stage",output="slack",status="ok"} 2');
    expect(await far.metrics()).toContain('falcosidekick_falco_accepted{env="stage",priority="Warning"} 2');
  });
});
