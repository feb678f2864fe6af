import { expect, test, vi } from 'vitest';
import type { Alert } from '../../../../src/core/alert/alert.ts';
import { SpoolFullError } from '../../../../src/core/spool/contract.ts';
import { Front } from '../../../../src/core/spool/jetstream/front.ts';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';
import { Publisher } from '../../../../src/core/spool/jetstream/publisher.ts';
import { openSpool } from '../../../../src/core/spool/open.ts';
import { recordingLogger } from '../../../support/logger.ts';
import { numbered, numberedTo, realClock, SPOOL } from '../../../support/spool.ts';

type Callback = (error: null, message: { subject: string; data: Uint8Array; string(): string }) => void;

/** A connection over which JetStream answers everything at once. */
function answering(answer: object) {
  let callback: Callback | undefined;
  const text = JSON.stringify(answer);
  return {
    subscribe: (_subject: string, options: { callback: Callback }) => {
      callback = options.callback;
      return { unsubscribe: () => undefined };
    },
    publish: (_subject: string, _bytes: Uint8Array, { reply }: { reply: string }) => {
      queueMicrotask(() => callback!(null, { subject: reply, data: Buffer.from(text), string: () => text }));
    },
  };
}

async function openFront(publisher: Publisher, usable = () => true) {
  const log = recordingLogger();
  const buffer = await openSpool(SPOOL, { clock: realClock, log });
  return new Front({
    publisher,
    buffer,
    clock: realClock,
    log,
    usable,
    makeRoom: async () => undefined,
    first: () => 1,
  });
}

function publisherTo(answer: object): Publisher {
  const transport = { createInbox: () => 'inbox', headers: () => new Map() };
  const publisher = new Publisher(transport as never, 'alerts', () => undefined);
  publisher.up({ connection: answering(answer) } as unknown as Session);
  return publisher;
}

const refused = (description: string) => ({ error: { code: 503, err_code: 10077, description } });

test.each(['maximum bytes exceeded', 'maximum messages exceeded'])(
  'a stream at its limit refuses the alerts: %s',
  async description => {
    const front = await openFront(publisherTo(refused(description)));
    expect(front.isFull).toBe(false);
    await expect(front.append(numberedTo(2))).rejects.toThrow(SpoolFullError);
    expect(front.isFull).toBe(true);
    // Another stream may be in its place when it is back.
    front.down('away');
    expect(front.isFull).toBe(false);
    await front.close();
  },
);

test.each(['write /data/1.blk: input/output error', 'no space left on device'])(
  'a NATS server whose disk fails is no full stream, alerts are kept: %s',
  async description => {
    const front = await openFront(publisherTo(refused(description)));
    await front.append(numberedTo(2));
    expect(front.buffered).toBe(2);
    expect(front.detour).toContain(description);
    await front.close();
  },
);

test('large alerts leave the buffer a few at a time', async () => {
  let isUp = false;
  const sizes: number[] = [];
  const publisher = {
    fits: () => true,
    publish: async (alerts: readonly Alert[]) => {
      sizes.push(alerts.reduce((sum, { byteLength }) => sum + byteLength, 0));
    },
  };
  const front = await openFront(publisher as unknown as Publisher, () => isUp);
  const large = 'x'.repeat(1 << 20);
  for (let number = 1; number <= 12; number++) await front.append([numbered(number, large)]);
  isUp = true;
  front.up();
  await vi.waitFor(() => expect(front.buffered).toBe(0));
  expect(Math.max(...sizes)).toBeLessThan(5.5 * 2 ** 20);
  await front.close();
});
