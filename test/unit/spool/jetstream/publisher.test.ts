import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Alert } from '../../../../src/core/alert/alert.ts';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';
import { Publisher } from '../../../../src/core/spool/jetstream/publisher.ts';
import { numbered } from '../../../support/spool.ts';

test('nothing to publish is published at once', async () => {
  const publisher = new Publisher({} as never, 'alerts', () => undefined);
  await expect(publisher.publish([], () => 0)).resolves.toBeUndefined();
});

test('what was refused goes out under another id, what is in process under the same', async () => {
  const ids: (string | undefined)[] = [];
  const answers = [
    { error: { err_code: 10077, description: 'maximum bytes exceeded' } },
    { error: { err_code: 10158, description: 'duplicate message id is in process' } },
    { seq: 7 },
    { seq: 8 },
  ];
  let callback = (_error: null, _message: object) => {};
  const connection = {
    subscribe: (_subject: string, options: { callback: typeof callback }) => {
      callback = options.callback;
      return { unsubscribe: () => undefined };
    },
    publish: (
      _subject: string,
      _bytes: Uint8Array,
      sent: { reply: string; headers: Map<string, string> },
    ) => {
      ids.push(sent.headers.get('Nats-Msg-Id'));
      const text = JSON.stringify(answers.shift());
      const message = { subject: sent.reply, data: Buffer.from(text), string: () => text };
      queueMicrotask(() => callback(null, message));
    },
  };
  const transport = { createInbox: () => 'inbox', headers: () => new Map() };
  const publisher = new Publisher(transport as never, 'alerts', () => undefined);
  publisher.up({ connection } as unknown as Session);
  const alert = numbered(1);
  await expect(publisher.publish([alert], () => 0)).rejects.toMatchObject({ isFull: true });
  await expect(publisher.publish([alert], () => 0)).rejects.toThrow('in process');
  await publisher.publish([alert], () => 0);
  await publisher.publish([numbered(2)], () => 0);
  expect(ids).toEqual([alert.uuid, `${alert.uuid}.1`, `${alert.uuid}.1`, expect.not.stringContaining('.')]);
  publisher.close();
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
