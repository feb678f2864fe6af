/** What only a log on a server has: several processes, a server that goes away, places that are kept. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { JetStreamConfig, SpoolConfig } from '../../src/core/config/types.ts';
import { RetriableError } from '../../src/core/errors.ts';
import { AlertTooLargeError, type Spool } from '../../src/core/spool/contract.ts';
import { inspectJetStream } from '../../src/core/spool/jetstream/inspect.ts';
import { openDiskSpool } from '../../src/core/spool/open.ts';
import { Folders, jetStreamConfig, openOnServer } from '../support/jetstream.ts';
import { recordingLogger } from '../support/logger.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { freePort } from '../support/services/process.ts';
import {
  drain,
  logged,
  numbered,
  numberedTo,
  numberOf,
  pullAll,
  realClock,
  SPOOL,
} from '../support/spool.ts';

const QUIET_MS = 400;
/** After so long without being taken, alerts in hand go back to the server. */
const UNWANTED_MS = 14_000;

describeWith('a log on a NATS server', missingNats(), () => {
  const folders = new Folders();
  const cleanups: (() => Promise<unknown>)[] = [];
  let server: NatsServer;
  let config: JetStreamConfig;

  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(async () => {
    await server?.remove();
    folders.remove();
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  async function open(
    of: JetStreamConfig,
    overrides: Partial<SpoolConfig> = {},
    path = folders.make(),
    log = recordingLogger(),
  ): Promise<Spool> {
    const spool = await openOnServer(of, path, overrides, { log });
    cleanups.push(() => spool.close());
    return spool;
  }

  const onServer = () => {
    config = jetStreamConfig([`127.0.0.1:${server.port}`]);
    return config;
  };

  async function manager() {
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    cleanups.push(() => connection.close());
    return jetstreamManager(connection, { timeout: 10_000 });
  }

  test('what is in hand and not wanted for long stays in hand when the stream has dropped it', async () => {
    const spool = await open(onServer(), { maxBytes: 20_000, historyBytes: 0 });
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    // More is asked for than is taken: the alerts come ahead of their being wanted.
    for (const delivery of await pullAll(consumer, 1)) delivery.ack();
    for (let number = 2; number <= 60; number++) await spool.append([numbered(number, 'x'.repeat(1000))]);
    await sleep(UNWANTED_MS);
    const deliveries = await drain(consumer, QUIET_MS);
    expect(deliveries.length).toBeGreaterThan(30);
    // The server may take its time with the first of those that it got back.
    const { dropped } = consumer.stats();
    expect(deliveries.length + dropped).toBeGreaterThanOrEqual(58);
  }, 60_000);

  test('large alerts are read back in their order, each once', async () => {
    const spool = await open(onServer());
    for (let number = 1; number <= 60; number++) await spool.append([numbered(number, 'x'.repeat(900_000))]);
    const numbers: number[] = [];
    for await (const entry of spool.read()) numbers.push(numberOf(entry));
    expect(numbers).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  test('two processes share an output: each alert goes to one of them', async () => {
    const shared = onServer();
    const [one, two] = [await open(shared), await open(shared)];
    const consumers = [one.consumer('a'), two.consumer('a')];
    const stop = new AbortController();
    const seen: number[][] = [[], []];
    const readers = consumers.map(async (consumer, index) => {
      while (!stop.signal.aborted) {
        for (const delivery of await consumer.pull(10, stop.signal)) {
          seen[index]!.push(numberOf(delivery));
          delivery.ack();
          await new Promise(resolve => setImmediate(resolve));
        }
      }
    });
    for (let from = 1; from <= 2000; from += 100)
      await (from % 200 === 1 ? one : two).append(numberedTo(100, from));
    await expect.poll(() => seen.flat().length).toBe(2000);
    stop.abort();
    await Promise.all(readers);
    expect(new Set(seen.flat()).size).toBe(2000);
    for (const share of seen) expect(share.length).toBeGreaterThan(400);
  });

  test('what a process holds when it ends goes to another at once', async () => {
    const shared = onServer();
    const [one, two] = [await open(shared), await open(shared)];
    const leaving = one.consumer('a');
    await one.append(numberedTo(20));
    const [first] = await pullAll(leaving, 5);
    first!.ack();
    await one.close();
    const rest = await pullAll(two.consumer('a'), 19);
    expect(rest.map(numberOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 19 }, (_, index) => index + 2),
    );
  });

  test('a reader may take its time: it gets all that was there when it began, and nothing after', async () => {
    const spool = await open(onServer());
    await spool.append(numberedTo(1_200));
    const seen: number[] = [];
    for await (const entry of spool.read()) {
      seen.push(numberOf(entry));
      if (seen.length > 1) continue;
      await spool.append([numbered(1_201)]);
      // Longer than a page of the log may take to come.
      await sleep(6_000);
    }
    expect(seen).toEqual(Array.from({ length: 1_200 }, (_, index) => index + 1));
  });

  test('an alert with an id that the stream has is stored once', async () => {
    const spool = await open(onServer());
    const alert = numbered(1);
    await spool.append([alert]);
    await spool.append([alert, numbered(2)]);
    expect(await logged(spool)).toEqual([1, 2]);
  });

  test('a server that is not there yet: alerts are kept, and reach it in order when it comes', async () => {
    const port = await freePort();
    const log = recordingLogger();
    const away = jetStreamConfig([`127.0.0.1:${port}`]);
    const path = folders.make();
    const spool = await open(away, {}, path, log);
    const consumer = spool.consumer('a');
    for (let number = 1; number <= 50; number++) await spool.append([numbered(number)]);
    expect(spool.stats()).toMatchObject({
      fault: undefined,
      remote: { connected: false, detour: expect.any(String), buffered: 50 },
    });
    await expect(logged(spool)).rejects.toThrow('cannot be read');
    // A restart without the server: nothing is lost.
    await spool.close();
    const again = await open(away, {}, path, log);
    const reader = again.consumer('a');
    await again.append(numberedTo(10, 51));
    const late = await startNats('', port);
    cleanups.push(() => late.remove());
    expect((await pullAll(reader, 60)).map(numberOf)).toEqual(
      Array.from({ length: 60 }, (_, index) => index + 1),
    );
    await expect
      .poll(() => again.stats().remote)
      .toEqual({ connected: true, detour: undefined, buffered: 0, bufferBytes: 0 });
    expect(consumer.take(1)).toEqual([]);
  }, 60_000);

  test('a server that goes away in the middle: 2xx goes on, and everything arrives once', async () => {
    const shaky = await startNats();
    cleanups.push(() => shaky.remove());
    const spool = await open(jetStreamConfig([`127.0.0.1:${shaky.port}`]));
    const consumer = spool.consumer('a');
    const seen: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      while (!stop.signal.aborted) {
        for (const delivery of await consumer.pull(50, stop.signal)) {
          seen.push(numberOf(delivery));
          delivery.ack();
        }
      }
    })();
    for (let number = 1; number <= 600; number++) {
      if (number === 200) await shaky.stop();
      if (number === 400) await shaky.start();
      await spool.append([numbered(number)]);
    }
    await expect.poll(() => new Set(seen).size).toBe(600);
    stop.abort();
    await reading;
    expect(seen.length).toBe(600);
  }, 60_000);

  test('a server that hangs is left after a while: alerts are kept, and arrive once when it goes on', async () => {
    const moody = await startNats();
    cleanups.push(() => moody.remove());
    const spool = await open(jetStreamConfig([`127.0.0.1:${moody.port}`]));
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(3));
    moody.freeze();
    await spool.append(numberedTo(3, 4));
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: false, buffered: 3 });
    moody.thaw();
    expect((await pullAll(consumer, 6)).map(numberOf).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await drain(consumer, QUIET_MS)).toEqual([]);
  });

  test('a server that hangs holds up no stop for long', async () => {
    const own = await startNats();
    cleanups.push(() => own.remove());
    const spool = await open(jetStreamConfig([`127.0.0.1:${own.port}`]));
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    await pullAll(consumer, 1);
    own.freeze();
    const from = performance.now();
    await spool.close();
    own.thaw();
    expect(performance.now() - from).toBeLessThan(6_000);
  }, 30_000);

  test('a server that hangs is left also when it reads no more of what is on its way', async () => {
    const moody = await startNats();
    cleanups.push(() => moody.remove());
    const spool = await open(jetStreamConfig([`127.0.0.1:${moody.port}`]));
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    moody.freeze();
    // More than the system takes for both ends of a connection.
    await spool.append(Array.from({ length: 30 }, (_, index) => numbered(index + 2, 'x'.repeat(900_000))));
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: false, buffered: 30 });
    moody.thaw();
    expect(new Set((await pullAll(consumer, 31)).map(numberOf)).size).toBe(31);
    expect(await drain(consumer, QUIET_MS)).toEqual([]);
  });

  test('an alert that the server would not take is refused while it is away, too', async () => {
    const shaky = await startNats();
    cleanups.push(() => shaky.remove());
    const spool = await open(jetStreamConfig([`127.0.0.1:${shaky.port}`]));
    const large = numbered(1, 'x'.repeat(2 << 20));
    await expect(spool.append([large])).rejects.toThrow(AlertTooLargeError);
    await shaky.stop();
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: false });
    await expect(spool.append([large])).rejects.toThrow(AlertTooLargeError);
    await spool.append([numbered(2)]);
    expect(spool.stats().remote).toMatchObject({ buffered: 1 });
  });

  test.each([
    ['that takes it: it arrives', 'max_payload: 4MB', [1, 2, 3], []],
    ['that does not: it is kept with the buffer', '', [1, 3], [2]],
  ])('a large alert, taken before the first word from a server %s', async (_, settings, arrived, kept) => {
    const port = await freePort();
    const path = folders.make();
    const spool = await open(jetStreamConfig([`127.0.0.1:${port}`]), {}, path);
    const consumer = spool.consumer('a', 'beginning');
    for (const alert of [numbered(1), numbered(2, 'x'.repeat(2 << 20)), numbered(3)])
      await spool.append([alert]);
    const late = await startNats(settings, port);
    cleanups.push(() => late.remove());
    expect((await pullAll(consumer, arrived.length)).map(numberOf)).toEqual(arrived);
    await expect.poll(() => spool.stats().remote).toMatchObject({ detour: undefined, buffered: 0 });
    await spool.close();
    const buffer = await openDiskSpool(
      { ...SPOOL, driver: 'disk', path: join(path, 'buffer') },
      { clock: realClock, log: recordingLogger() },
    );
    cleanups.push(() => buffer.close());
    expect((await buffer.deadLetters.list()).map(numberOf)).toEqual(kept);
  });

  test('a large alert that cannot be a dead letter of the buffer either stays there, and holds no other back', async () => {
    const port = await freePort();
    const path = folders.make();
    const inTheWay = join(path, 'buffer', 'dead-letters.sqlite');
    const spool = await open(jetStreamConfig([`127.0.0.1:${port}`]), {}, path);
    const consumer = spool.consumer('a', 'beginning');
    await mkdir(inTheWay);
    for (const alert of [numbered(1, 'x'.repeat(2 << 20)), numbered(2)]) await spool.append([alert]);
    const late = await startNats('', port);
    cleanups.push(() => late.remove());
    expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([2]);
    await spool.append([numbered(3)]);
    expect((await pullAll(consumer, 1)).map(numberOf)).toEqual([3]);
    expect(spool.stats().remote).toMatchObject({ buffered: 1 });
    await spool.close();
    await rm(inTheWay, { recursive: true });
    const again = await open(jetStreamConfig([`127.0.0.1:${port}`]), {}, path);
    await expect.poll(() => again.stats().remote).toMatchObject({ detour: undefined, buffered: 0 });
  });

  test('the largest alert there can be is given up with as much of a long error as there is room for', async () => {
    const spool = await open(onServer());
    const consumer = spool.consumer('a');
    const withoutText = numbered(1).bytes.length;
    const largest = numbered(1, 'x'.repeat((1 << 20) - 512 - withoutText));
    await expect(spool.append([numbered(1, `${largest.output}x`)])).rejects.toThrow(AlertTooLargeError);
    await spool.append([largest]);
    const [delivery] = await pullAll(consumer, 1);
    await delivery!.bury(new Error(`refused: ${'ä'.repeat(1900)}`));
    const [letter] = await spool.deadLetters.list();
    expect(letter).toMatchObject({ alert: { output: largest.output }, attempts: 1 });
    expect(letter!.error).toMatch(/^refused: ä+$/);
  });

  test('the buffer is bounded: full and set to refuse, it refuses', async () => {
    const away = { ...jetStreamConfig([`127.0.0.1:${await freePort()}`]), bufferBytes: 100_000 };
    const spool = await open(away, { overflow: 'reject', segmentBytes: 20_000 });
    const appendMany = async () => {
      for (let number = 1; number <= 200; number++) await spool.append([numbered(number, 'x'.repeat(1000))]);
    };
    await expect(appendMany()).rejects.toThrow('full');
    expect(spool.stats().remote?.buffered).toBeGreaterThan(50);
  });

  test('the place of a removed output is kept for a while, then goes; back in time it goes on', async () => {
    const kept = onServer();
    const spool = await open(kept, { removedMs: 1_500 });
    const names = async () => {
      const found: string[] = [];
      for await (const { name } of (await admin).consumers.list(kept.stream)) found.push(name);
      return found.sort();
    };
    const admin = manager();
    spool.consumer('gone');
    spool.consumer('back');
    await spool.append(numberedTo(3));
    spool.retain([]);
    await spool.trim();
    expect(await names()).toEqual(['back', 'gone']);
    const back = spool.consumer('back');
    expect((await drain(back, QUIET_MS)).map(numberOf)).toEqual([1, 2, 3]);
    await expect.poll(names).toEqual(['back']);
    const { config: found } = await (await admin).consumers.info(kept.stream, 'back');
    expect(found.inactive_threshold ?? 0).toBe(0);
  });

  test('the place of a removed output that is not to be kept goes at once', async () => {
    const config = onServer();
    const spool = await open(config, { removedMs: 0 });
    const admin = await manager();
    spool.consumer('gone');
    await spool.append(numberedTo(3));
    spool.retain([]);
    await spool.trim();
    await expect.poll(async () => (await admin.consumers.list(config.stream).next()).length).toBe(0);
  });

  test('a consumer that somebody deletes is made again where it was', async () => {
    const spool = await open(onServer());
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(5));
    for (const delivery of await pullAll(consumer, 5)) delivery.ack();
    await expect.poll(() => consumer.stats().depth).toBe(0);
    // nats-server 2.9.10 says at times that it could not remove the folder; the consumer is gone all the same.
    await (await manager()).consumers.delete(config.stream, 'a').catch(error => {
      if (!/directory not empty/.test((error as Error).message)) throw error;
    });
    await spool.append(numberedTo(3, 6));
    expect((await pullAll(consumer, 3)).map(numberOf)).toEqual([6, 7, 8]);
  }, 60_000);

  test('a stream that is lost is made again; what is in hand and what comes then arrives', async () => {
    const spool = await open(onServer());
    const consumer = spool.consumer('a');
    await spool.append(numberedTo(9));
    const early = await pullAll(consumer, 9);
    for (const delivery of early.slice(0, 3)) delivery.ack();
    await expect.poll(() => consumer.stats().depth).toBe(6);
    for (const delivery of early.slice(3, 6))
      delivery.retry(0, new RetriableError('not now', { reason: 'network' }));
    await (await manager()).streams.delete(config.stream);
    await spool.append(numberedTo(9, 10));
    const numbers = new Set<number>();
    const arrive = async () => {
      for (const delivery of await drain(consumer, QUIET_MS)) {
        numbers.add(numberOf(delivery));
        delivery.ack();
      }
      return [...numbers].sort((a, b) => a - b);
    };
    await expect.poll(arrive).toEqual([4, 5, 6, ...Array.from({ length: 9 }, (_, i) => 10 + i)]);
    for (const delivery of early.slice(6)) delivery.ack();
    await expect.poll(() => consumer.stats().depth).toBe(0);
  }, 60_000);

  test('a stream that is lost while no output asks for alerts is made again', async () => {
    const spool = await open(onServer());
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    await (await manager()).streams.delete(config.stream);
    await spool.append(numberedTo(9, 10));
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: true, buffered: 0 });
    expect((await pullAll(consumer, 9)).map(numberOf)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18]);
  }, 60_000);

  test('the stream follows the configuration; one of no use is told of and never written to', async () => {
    const shared = onServer();
    await (await open(shared, { maxBytes: 10 << 20 })).close();
    await open(shared, { maxBytes: 20 << 20 });
    const admin = await manager();
    expect((await admin.streams.info(shared.stream)).config.max_bytes).toBe(20 << 20);
    const queue = onServer();
    await admin.streams.add({
      name: queue.stream,
      subjects: [`${queue.stream}.alerts`],
      retention: 'workqueue' as never,
    });
    const spool = await open(queue);
    await spool.append([numbered(1)]);
    expect(spool.stats().remote).toMatchObject({
      connected: false,
      detour: expect.stringContaining('retention'),
      buffered: 1,
    });
    expect(
      await inspectJetStream({ ...SPOOL, driver: 'jetstream', path: folders.make(), jetstream: queue }, 5000),
    ).toContainEqual({
      level: 'fail',
      part: 'stream',
      message: expect.stringContaining('retention workqueue'),
    });
  });

  test('doctor: a server without the streams, with them, and none', async () => {
    const of = (jetstream: JetStreamConfig) =>
      inspectJetStream({ ...SPOOL, driver: 'jetstream', path: folders.make(), jetstream }, 5000);
    const shared = onServer();
    expect((await of(shared)).map(({ level, part }) => [level, part])).toEqual([
      ['ok', 'server'],
      ['warn', 'stream'],
      ['warn', 'dead letters'],
    ]);
    const spool = await open(shared);
    spool.consumer('slack.soc');
    await spool.append(numberedTo(2));
    expect(await of(shared)).toContainEqual({
      level: 'ok',
      part: 'consumer',
      message: expect.stringMatching(/^slack\.soc: 2 unread/),
    });
    expect(await of(jetStreamConfig([`127.0.0.1:${await freePort()}`]))).toEqual([
      { level: 'fail', part: 'server', message: 'no server takes the connection' },
    ]);
  });

  test('a message that is no alert is counted and passed over', async () => {
    const spool = await open(onServer());
    const consumer = spool.consumer('a');
    await spool.append([numbered(1)]);
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    cleanups.push(() => connection.close());
    connection.publish(`${config.stream}.alerts`, 'no alert');
    await connection.flush();
    await spool.append([numbered(2)]);
    expect((await pullAll(consumer, 2)).map(numberOf)).toEqual([1, 2]);
    expect(spool.stats().setAside).toBe(1);
  });

  test('a shared rate limit holds over two processes', async () => {
    const shared = onServer();
    const spools = [await open(shared), await open(shared)];
    const limits = spools.map(spool =>
      spool.sharedLimit!('a', { perSecond: 50, burst: 10 }, () => undefined),
    );
    const startedAt = Date.now();
    let taken = 0;
    await vi.waitFor(
      () => {
        for (const limit of limits) {
          const available = limit.available(performance.now());
          limit.take(available);
          taken += available;
        }
        expect(Date.now() - startedAt).toBeGreaterThan(2_000);
      },
      { timeout: 10_000, interval: 5 },
    );
    const seconds = (Date.now() - startedAt) / 1000;
    // The burst at the start, what came in with time, and a lease of each that was under way.
    expect(taken).toBeLessThanOrEqual(10 + 50 * seconds + 1);
    expect(taken).toBeGreaterThan(25 * seconds);
  });
});
