/** A NATS user with no more rights than docs/scaling.md names. */
import { expect, test } from 'vitest';
import type { Spool } from '../../src/core/spool/contract.ts';
import { Folders, jetStreamConfig, openOnServer } from '../support/jetstream.ts';
import { recordingLogger } from '../support/logger.ts';
import { missingNats, startNats } from '../support/services/nats.ts';
import { describeWith } from '../support/services/need.ts';
import { drain, numbered, numberOf, pullAll } from '../support/spool.ts';

describeWith('a NATS user with the rights that are named', missingNats(), () => {
  test('can do all that replicas do, also after NATS was away', async () => {
    const config = jetStreamConfig([]);
    const { stream } = config;
    const publish = [
      '$JS.API.>',
      '$JS.ACK.>',
      `${stream}.alerts`,
      `${stream}-dead.*`,
      `$KV.${stream}-limits.>`,
    ];
    const rights = JSON.stringify({ publish, subscribe: ['_INBOX.>'] });
    const server = await startNats(
      `authorization: { users: [ { user: "t", password: "s3cret", permissions: ${rights} } ] }`,
    );
    const folders = new Folders();
    const log = recordingLogger();
    const login = { ...config.login, username: 't', password: 's3cret' };
    const servers = [`127.0.0.1:${server.port}`];
    let spool: Spool | undefined;
    try {
      spool = await openOnServer({ ...config, servers, login }, folders.make(), {}, { log });
      const consumer = spool.consumer('a');
      const limit = spool.sharedLimit!('a', { perSecond: 50, burst: 10 }, () => undefined);
      await spool.append([numbered(1), numbered(2), numbered(3)]);
      const [first, second, third] = await pullAll(consumer, 3);
      first!.ack();
      await second!.bury(new Error('refused'));
      third!.retry(0, new Error('later'));
      await expect.poll(() => limit.available(performance.now()), { timeout: 10_000 }).toBeGreaterThan(0);
      expect((await spool.deadLetters.list()).map(({ alert }) => alert.rule)).toEqual(['rule 2']);
      await server.stop();
      await expect.poll(() => spool!.stats().remote).toMatchObject({ connected: false });
      await spool.append([numbered(4)]);
      await server.start();
      await expect
        .poll(() => spool!.stats().remote, { timeout: 20_000 })
        .toMatchObject({ connected: true, buffered: 0 });
      const numbers = new Set<number>();
      const arrive = async () => {
        for (const delivery of await drain(consumer, 400)) {
          numbers.add(numberOf(delivery));
          delivery.ack();
        }
        return [...numbers].sort();
      };
      await expect.poll(arrive, { timeout: 10_000 }).toEqual([3, 4]);
      await expect.poll(() => consumer.stats().depth).toBe(0);
      expect(await spool.deadLetters.remove({})).toBe(1);
      await spool.trim();
      spool.retain([]);
      expect(JSON.stringify(log.lines)).not.toMatch(/permission/i);
    } finally {
      await spool?.close();
      await server.remove();
      folders.remove();
    }
  }, 60_000);
});
