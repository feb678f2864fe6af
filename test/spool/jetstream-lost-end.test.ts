/** A NATS server that comes back without the newest messages of its stream gives their sequences to new alerts. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Spool } from '../../src/core/spool/contract.ts';
import { Folders, jetStreamConfig, openOnServer } from '../support/jetstream.ts';
import { recordingLogger } from '../support/logger.ts';
import { missingNats, type NatsServer, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { drain, numbered, numberedTo, numberOf, pullAll } from '../support/spool.ts';

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
        const numbers = new Set<number>();
        const come = async () => {
          for (const delivery of await drain(output, QUIET_MS)) {
            numbers.add(numberOf(delivery));
            delivery.ack();
          }
          return [11, 12, 13, 14, 15, 16].filter(number => !numbers.has(number));
        };
        await expect.poll(come, { timeout: 10_000 }).toEqual([]);
      }
      settle(settled, 10);
      for (const output of outputs)
        await expect.poll(() => output.stats().depth, { timeout: 10_000 }).toBe(0);
      expect(log.lines.map(({ message }) => message)).toContainEqual(
        expect.stringMatching(/NATS has lost (the end|its newest)/),
      );
    },
    60_000,
  );

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
