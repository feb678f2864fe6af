import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Alert } from '../../../../src/core/alert/alert.ts';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';
import { Publisher } from '../../../../src/core/spool/jetstream/publisher.ts';
import { numbered } from '../../../support/spool.ts';

test('nothing to publish is published at once', async () => {
  const publisher = new Publisher({} as never, 'alerts', () => undefined);
  await expect(publisher.publish([], () => 0)).resolves.toBeUndefined();
});

describe('a server that does not acknowledge', () => {
  /** Counts what is written to it; answers to `flush` come from the outside. */
  function silent() {
    const written: string[] = [];
    const flushed = Promise.withResolvers<void>();
    const connection = {
      publish: (_subject: string, _bytes: Uint8Array, { reply }: { reply: string }) => written.push(reply),
      subscribe: () => ({ unsubscribe: () => undefined }),
      flush: () => flushed.promise,
    };
    const transport = { createInbox: () => 'inbox', headers: () => new Map() };
    const publisher = new Publisher(transport as never, 'alerts', () => undefined);
    const session = { connection } as unknown as Session;
    publisher.up(session);
    const publish = (...alerts: Alert[]) =>
      publisher.publish(alerts, () => 0).catch((error: Error) => error.message);
    return { publisher, session, publish, written, flushed };
  }

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is written to no more until it answers', async () => {
    const { publish, written, flushed } = silent();
    const first = publish(numbered(1));
    await vi.advanceTimersByTimeAsync(2_500);
    await expect(first).resolves.toContain('does not acknowledge');
    await expect(publish(numbered(2))).resolves.toContain('does not answer');
    expect(written).toHaveLength(1);
    flushed.resolve();
    await vi.advanceTimersByTimeAsync(0);
    void publish(numbered(3));
    expect(written).toHaveLength(2);
  });

  test('is written to again over a new connection', async () => {
    const { publisher, session, publish, written } = silent();
    void publish(numbered(1));
    await vi.advanceTimersByTimeAsync(2_500);
    publisher.down();
    publisher.up(session);
    void publish(numbered(2));
    expect(written).toHaveLength(2);
  });

  test('is handed so many bytes, and no more', async () => {
    const { publish, written } = silent();
    const large = numbered(1, 'x'.repeat(1 << 20));
    const all = Array.from({ length: 50 }, () => publish(large));
    expect(written).toHaveLength(16);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(new Set(await Promise.all(all))).toEqual(
      new Set(['JetStream does not acknowledge', 'JetStream acknowledges too slowly']),
    );
  });
});
