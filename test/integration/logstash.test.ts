import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import { RetriableError } from '../../src/core/errors.ts';
import logstash from '../../src/outputs/logstash.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { type LineReceiver, type ReceiverOptions, startReceiver } from '../support/line-receiver.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import { findProgram, freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function receiver(options?: ReceiverOptions): Promise<LineReceiver> {
  const started = await startReceiver(options);
  cleanup.push(() => started.stop());
  return started;
}

async function output(config: Record<string, unknown>, host = hostOf()): Promise<Output> {
  const opened = await openOutput(logstash, { address: '127.0.0.1', ...config }, host);
  cleanup.push(() => opened.close!());
  return opened;
}

describe('logstash', () => {
  test('alerts are lines over one connection', async () => {
    const far = await receiver();
    const sender = await output({ port: far.port, tags: 'extra,falco' });
    const alerts = falcoAlerts(100, { tags: ['own'] });
    for (let start = 0; start < alerts.length; start += 25)
      await trySend(sender, alerts.slice(start, start + 25));
    await expect.poll(() => far.lines.length).toBe(100);
    expect(far.lines.map(text => JSON.parse(text))).toEqual(
      alerts.map(({ json }) => ({ ...JSON.parse(json), tags: ['own', 'extra', 'falco'] })),
    );
    expect(far.accepted).toBe(1);
  });

  test.each([false, true])(
    'a server that is absent at the start, then restarts, gets every alert (confirm: %s)',
    async confirm => {
      const port = await freePort();
      const sender = await output({ port, confirm });
      expect(await failureOf(trySend(sender, [falcoAlert()]))).toMatchObject({ reason: 'network' });
      const far = await receiver();
      const other = await output({ port: far.port, confirm });
      const alerts = falcoAlerts(60);
      await trySend(other, alerts.slice(0, 20));
      await far.stop();
      const delivering = deliver(other, alerts.slice(20), 10);
      await far.start();
      expect(await delivering).toEqual([]);
      const arrived = () => new Set(far.lines.map(text => (JSON.parse(text) as { uuid: string }).uuid));
      await expect.poll(() => arrived().size).toBe(60);
    },
  );

  describeWith('over TLS', findProgram('openssl') ? undefined : 'openssl is not installed', () => {
    let authority: Authority;
    let stranger: Authority;
    let secured: LineReceiver;
    let mutual: LineReceiver;

    beforeAll(async () => {
      const folder = await scratch('certificates');
      cleanup.push(() => folder.remove());
      authority = await createAuthority(folder.path, 'right');
      stranger = await createAuthority(folder.path, 'wrong');
      const { cert, key } = authority.server;
      secured = await receiver({ tls: { cert, key } });
      mutual = await receiver({ tls: { cert, key, ca: authority.ca, requestCert: true } });
    });

    const send = async (
      far: LineReceiver,
      tls: Parameters<typeof hostOf>[0],
      config: Record<string, unknown> = {},
    ) =>
      trySend(await output({ address: 'localhost', port: far.port, tls: true, ...config }, hostOf(tls)), [
        falcoAlert(),
      ]);

    test.each([false, true])(
      'its own authority is trusted, another one is not, unless nothing is checked (confirm: %s)',
      async confirm => {
        const before = secured.lines.length;
        await send(secured, { ca: [authority.ca] }, { confirm });
        await send(secured, { ca: [authority.ca] }, { confirm, address: '127.0.0.1' });
        await send(secured, { verify: false }, { confirm });
        await expect.poll(() => secured.lines.length).toBe(before + 3);
        for (const ca of [undefined, [stranger.ca]]) {
          const failure = await failureOf(send(secured, { ca }, { confirm }));
          expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
          expect(failure.message).toContain('certificate');
        }
        const name = await failureOf(send(secured, { ca: [authority.ca], serverName: 'other' }, { confirm }));
        expect(name.message).toContain('another name');
      },
    );

    // With TLS 1.3 a server refuses the certificate only after the client has begun to write.
    test.each([false, true])(
      'without the certificate that the server wants nothing counts as sent (confirm: %s)',
      async confirm => {
        const { cert, key } = authority.client;
        const ca = [authority.ca];
        await send(mutual, { ca, cert, key }, { confirm });
        const before = mutual.lines.length;
        const failure = await failureOf(send(mutual, { ca }, { confirm }));
        expect(failure).toMatchObject({ name: 'RetriableError' });
        const bare = await output(
          { address: 'localhost', port: mutual.port, tls: true, confirm },
          hostOf({ ca }),
        );
        expect(await failureOf(bare.probe!(AbortSignal.timeout(5000)))).toBeInstanceOf(RetriableError);
        expect(mutual.lines).toHaveLength(before);
      },
    );
  });

  test.each([false, true])(
    'ten seconds without the server in the middle of 5,000 alerts lose none (confirm: %s)',
    async confirm => {
      const far = await receiver();
      await survivesOutage({
        config: { logstash: { address: '127.0.0.1', port: far.port, confirm } },
        stop: () => far.stop(),
        start: () => far.start(),
        received: async () => far.lines,
      });
    },
    120_000,
  );
});
