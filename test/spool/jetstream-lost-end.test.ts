/** A NATS server that comes back without the newest messages of its stream gives their sequences to new alerts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Consumer, Spool } from '../../src/core/spool/contract.ts';
import { Folders, jetStreamConfig, openOnServer } from '../support/jetstream.ts';
import { recordingLogger } from '../support/logger.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { drain, logged, numbered, numberedTo, numberOf, pullAll } from '../support/spool.ts';

const QUIET_MS = 400;

describeWith('a stream that has lost its end', missingNats(), () => {
  const folders = new Folders();
  const spools: Spool[] = [];
  let server: NatsServer;

  beforeEach(async () => {
    server = await startNats();
  });
  afterEach(async () => {
    for (const spool of spools.splice(0)) await spool.close();
    await server?.remove();
    folders.remove();
  });

  test.each([
    { what: 'was settled', settled: 10, before: 'SIGTERM' },
    { what: 'is in hand', settled: 0, before: 'SIGTERM' },
    { what: 'is answered for while the server goes away', settled: 4, before: 'SIGKILL' },
  ] as const)(
    'new alerts in the place of what $what arrive at each output',
    async ({ settled, before }) => {
      const config = jetStreamConfig([`127.0.0.1:${server.port}`]);
      const log = recordingLogger();
      const spool = await openOnServer(config, folders.make(), {}, { log });
      spools.push(spool);
      const outputs = ['a', 'b'].map(name => spool.consumer(name));
      await spool.append(numberedTo(10));
      const inHand = await Promise.all(outputs.map(output => pullAll(output, 10)));
      const settle = (from: number, to: number) => {
        for (const deliveries of inHand) for (const delivery of deliveries.slice(from, to)) delivery.ack();
      };
      settle(0, settled);
      for (const output of outputs) await expect.poll(() => output.stats().depth).toBe(10 - settled);
      if (before === 'SIGKILL') {
        server.freeze();
        settle(settled, 10);
      }
      await server.stop(before);
      await server.loseEnd(config.stream, 7);
      await server.start();
      await spool.append(numberedTo(6, 11));
      await expect
        .poll(() => spool.stats().remote, { timeout: 20_000 })
        .toMatchObject({ connected: true, buffered: 0 });
      for (const output of outputs) {
        await arrive([output], [11, 12, 13, 14, 15, 16], 10_000);
      }
      settle(settled, 10);
      for (const output of outputs)
        await expect.poll(() => output.stats().depth, { timeout: 10_000 }).toBe(0);
      expect(log.lines.map(({ message }) => message)).toContainEqual(
        expect.stringContaining('NATS has lost the newest alerts'),
      );
    },
    60_000,
  );

  /** A log of ten alerts of which the one output has settled some. */
  async function logOf10(settled: number, folder: string) {
    const config = jetStreamConfig([`127.0.0.1:${server.port}`]);
    const spool = await openOnServer(config, folder);
    const output = spool.consumer('a');
    await spool.append(numberedTo(10));
    for (const delivery of (await pullAll(output, 10)).slice(0, settled)) delivery.ack();
    await expect.poll(() => output.stats().depth).toBe(10 - settled);
    return { config, spool };
  }

  /** The server comes back with seven of the ten. */
  async function backWithout({ stream }: { stream: string }): Promise<void> {
    await server.loseEnd(stream, 7);
    await server.start();
  }

  /** What comes to the outputs, each alert once, until all that is expected is there. */
  async function arrive(outputs: readonly Consumer[], expected: readonly number[], withinMs = 45_000) {
    const numbers = new Set<number>();
    const come = async () => {
      for (const output of outputs) {
        for (const delivery of await drain(output, QUIET_MS)) {
          numbers.add(numberOf(delivery));
          delivery.ack();
        }
      }
      return expected.filter(number => !numbers.has(number));
    };
    await expect.poll(come, { timeout: withinMs }).toEqual([]);
    return [...numbers].sort((a, b) => a - b);
  }

  test('replicas that start one after the other deliver what is left, and all that is new', async () => {
    const { config, spool } = await logOf10(4, folders.make());
    await spool.close();
    await server.stop();
    await backWithout(config);
    const start = async (delayMs: number) => {
      await sleep(delayMs);
      const spool = await openOnServer(config, folders.make());
      spools.push(spool);
      return spool.consumer('a');
    };
    const outputs = await Promise.all([start(0), start(700)]);
    await spools[0]!.append(numberedTo(6, 11));
    const expected = [5, 6, 7, 11, 12, 13, 14, 15, 16];
    expect(await arrive(outputs, expected)).toEqual(expected);
  }, 90_000);

  test('what a process has kept in its buffer arrives, though it drains before there is an output', async () => {
    const folder = folders.make();
    const { config, spool: before } = await logOf10(10, folder);
    await server.stop();
    await expect.poll(() => before.stats().remote).toMatchObject({ connected: false });
    await before.append(numberedTo(6, 11));
    await before.close();
    await backWithout(config);
    const spool = await openOnServer(config, folder);
    spools.push(spool);
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: true, buffered: 0 });
    const expected = [11, 12, 13, 14, 15, 16];
    expect(await arrive([spool.consumer('a')], expected)).toEqual(expected);
  }, 60_000);

  test('what takes the place of lost alerts is nothing that anybody sees', async () => {
    const { config, spool: before } = await logOf10(10, folders.make());
    await before.close();
    await server.stop();
    await backWithout(config);
    const log = recordingLogger();
    const spool = await openOnServer(config, folders.make(), {}, { log });
    spools.push(spool);
    const late = spool.consumer('late', 'beginning');
    await spool.append([numbered(11)]);
    const expected = [1, 2, 3, 4, 5, 6, 7, 11];
    expect(await arrive([late], expected)).toEqual(expected);
    expect(await logged(spool)).toEqual(expected);
    await expect.poll(() => late.stats().depth).toBe(0);
    expect(spool.stats().setAside).toBe(0);
    expect(log.lines.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { filled: 3 } }]);
  }, 60_000);

  test('what limits have removed from the beginning is not taken for a lost end', async () => {
    const config = jetStreamConfig([`127.0.0.1:${server.port}`]);
    const log = recordingLogger();
    const spool = await openOnServer(config, folders.make(), { maxBytes: 20_000, historyBytes: 0 }, { log });
    spools.push(spool);
    const output = spool.consumer('a');
    await spool.append(numberedTo(3));
    const inHand = await pullAll(output, 3);
    // It asks for no more ahead; what it has stays in hand for a successor.
    output.close();
    for (let number = 4; number <= 60; number++) await spool.append([numbered(number, 'x'.repeat(1000))]);
    await server.stop();
    await expect.poll(() => spool.stats().remote).toMatchObject({ connected: false });
    await server.start();
    await expect.poll(() => spool.stats().remote, { timeout: 20_000 }).toMatchObject({ connected: true });
    for (const delivery of inHand) delivery.ack();
    expect(log.lines.map(({ message }) => message)).not.toContainEqual(expect.stringContaining('lost'));
  }, 60_000);
});
