import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Alert } from '../../../src/core/alert/alert.ts';
import type { SpoolConfig } from '../../../src/core/config/types.ts';
import { Acks } from '../../../src/core/spool/jetstream/acks.ts';
import { AlertCache } from '../../../src/core/spool/jetstream/alerts.ts';
import { StreamDeadLetters } from '../../../src/core/spool/jetstream/dead-letters.ts';
import { Lane } from '../../../src/core/spool/jetstream/lane.ts';
import type { Session } from '../../../src/core/spool/jetstream/link.ts';
import { fromToken, namesOf, toToken } from '../../../src/core/spool/jetstream/names.ts';
import { Progress } from '../../../src/core/spool/jetstream/progress.ts';
import { Publisher } from '../../../src/core/spool/jetstream/publisher.ts';
import type { Pulled } from '../../../src/core/spool/jetstream/puller.ts';
import { lease } from '../../../src/core/spool/jetstream/rate-limit.ts';
import { readStream } from '../../../src/core/spool/jetstream/reader.ts';
import { Recent } from '../../../src/core/spool/jetstream/recent.ts';
import { ackFloorOf, firstSince } from '../../../src/core/spool/jetstream/retention.ts';
import { alertStream, deadStream, differences, unfitness } from '../../../src/core/spool/jetstream/setup.ts';
import { jetStreamConfig } from '../../support/jetstream.ts';
import { recordingLogger } from '../../support/logger.ts';
import { numbered, numberOf, realClock, SPOOL } from '../../support/spool.ts';

describe('names on the server', () => {
  test.each([
    ['slack', 'slack'],
    ['slack.soc', 'slack=soc'],
    ['web hook.a/b*>', 'web%20hook=a%2Fb%2A%3E'],
    ['naïve=1', 'na%C3%AFve%3D1'],
    ["!'()~", '%21%27%28%29%7E'],
  ])('%s', (output, token) => {
    expect(toToken(output)).toBe(token);
    expect(token).not.toMatch(/[.*> /\\]/);
    expect(fromToken(token)).toBe(output);
  });

  test('a name that is none of ours stays as it is', () => expect(fromToken('%zz')).toBe('%zz'));
});

describe('the stream', () => {
  const config: SpoolConfig = { ...SPOOL, driver: 'jetstream', jetstream: jetStreamConfig(['a'], 3) };
  const wanted = alertStream(config, namesOf('tiercel'));

  test('limits come from the configuration', () => {
    expect(
      alertStream({ ...config, maxAgeMs: 60_000, overflow: 'reject' }, namesOf('tiercel')),
    ).toMatchObject({
      name: 'tiercel',
      subjects: ['tiercel.alerts'],
      num_replicas: 3,
      max_bytes: config.maxBytes,
      max_age: 60_000_000_000,
      discard: 'new',
      // The server takes no window that is longer than alerts live.
      duplicate_window: 60_000_000_000,
    });
  });

  test('so do those of the dead letters, but for their bytes, which NATS would set aside; 0 is none', () => {
    const dead = (deadLetters: SpoolConfig['deadLetters']) =>
      deadStream({ ...config, deadLetters }, namesOf('tiercel'));
    const limits = { maxCount: 5, maxBytes: 1_000, maxAgeMs: 60_000 };
    expect(dead(limits)).toMatchObject({ max_msgs: 5, max_age: 60_000_000_000 });
    expect(dead(limits)).not.toHaveProperty('max_bytes');
    const none = { maxCount: 0, maxBytes: 0, maxAgeMs: 0 };
    expect(dead(none)).toMatchObject({ max_msgs: -1, max_age: 0 });
  });

  test('differences are told by key, but for the description', () => {
    const found = { ...wanted, description: 'mine', extra: 1 } as never;
    expect(differences(found, wanted)).toEqual([]);
    expect(differences({ ...wanted, max_bytes: 1, num_replicas: 1 } as never, wanted)).toEqual([
      'num_replicas',
      'max_bytes',
    ]);
  });

  test('of no use is one that deletes what is acked, or hears nothing', () => {
    expect(unfitness(wanted as never, wanted)).toBeUndefined();
    expect(unfitness({ ...wanted, retention: 'workqueue' } as never, wanted)).toContain(
      'retention workqueue',
    );
    expect(unfitness({ ...wanted, subjects: ['other'] } as never, wanted)).toContain('tiercel.alerts');
  });
});

describe('where a time begins in a stream', () => {
  // Sequences 10 to 19, stored at 100, 110, ..., 190.
  const storedAt = async (seq: number) => (seq < 10 ? undefined : 100 + 10 * (seq - 10));
  test.each([
    [0, 10],
    [100, 10],
    [101, 11],
    [150, 15],
    [190, 19],
    [191, 20],
  ])('%i', async (time, expected) => {
    expect(await firstSince({ first: 10, end: 20 }, time, storedAt)).toBe(expected);
  });

  test('what is gone is older than what is there', async () => {
    expect(await firstSince({ first: 1, end: 20 }, 0, storedAt)).toBe(10);
  });
});

describe('what a consumer has settled', () => {
  const place = (consumer: number, stream: number) => ({
    consumer_seq: consumer,
    stream_seq: stream,
    last_active: 0,
  });

  test.each([
    ['all that it was handed', place(7, 17), place(7, 17), 0, 17],
    ['all before the first that is in hand', place(7, 17), place(4, 14), 2, 14],
    // An old floor stays where it was when what lay behind it was dropped.
    ['all, whatever the floor says, when nothing is in hand', place(7, 17), place(4, 14), 0, 17],
    ['nothing yet', place(0, 0), place(0, 0), 0, 0],
  ])('%s', (_, delivered, ack_floor, num_ack_pending, expected) => {
    expect(ackFloorOf({ delivered, ack_floor, num_ack_pending })).toBe(expected);
  });
});

describe('how far an output is', () => {
  const delivery = (deliverySequence: number, streamSequence: number, deliveryCount = 1) => ({
    deliverySequence,
    streamSequence,
    deliveryCount,
  });
  const seen = (consumer_seq: number, stream_seq: number, created = '2026-01-31T12:00:00Z') => ({
    delivered: { consumer_seq, stream_seq },
    created,
  });

  test('what was there before the first look is not told', () => {
    const progress = new Progress();
    expect(progress.reached).toBeUndefined();
    expect(progress.update(seen(3, 10), 50)).toBe(0);
    expect(progress.reached).toBe(49);
  });

  test('a drop is told once, whether it is seen before or after the next delivery', () => {
    const progress = new Progress();
    progress.update(seen(0, 0), 1);
    expect(progress.update(seen(2, 2), 11)).toBe(8);
    expect(progress.update(seen(2, 2), 11)).toBe(0);
    progress.arrived(delivery(3, 31));
    expect(progress.update(seen(3, 31), 31)).toBe(20);
    expect(progress.reached).toBe(31);
  });

  test('an alert that came after the server was asked counts at the next look', () => {
    const progress = new Progress();
    progress.update(seen(1, 1), 1);
    progress.arrived(delivery(2, 20));
    expect(progress.update(seen(1, 1), 45)).toBe(24);
    expect(progress.update(seen(3, 45), 45)).toBe(18);
  });

  test('what came again hides no drop, and makes none', () => {
    const progress = new Progress();
    progress.update(seen(5, 5), 1);
    progress.arrived(delivery(6, 3, 2));
    progress.arrived(delivery(8, 4, 2));
    expect(progress.update(seen(7, 20), 20)).toBe(14);
    expect(progress.update(seen(9, 21), 20)).toBe(0);
  });

  test('a consumer or a stream made anew', () => {
    const progress = new Progress();
    progress.update(seen(7, 20), 20);
    expect(progress.update(seen(30, 50, '2026-01-31T12:30:00Z'), 20)).toBe(0);
    expect(progress.update(seen(31, 61, '2026-01-31T12:30:00Z'), 20)).toBe(10);
    const anew = new Progress(0);
    expect(anew.reached).toBe(0);
    expect(anew.update(seen(0, 0), 4)).toBe(3);
    expect(anew.update(seen(2, 7), 4)).toBe(2);
  });

  test('whatever happens and whenever one looks, each drop is told once', () => {
    const step = fc.constantFrom('append', 'hand out', 'again', 'drop', 'look');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), steps => {
        const progress = new Progress();
        const dropped = { seen: 0, told: 0 };
        let [first, last, sequence, place] = [1, 0, 0, 0];
        const look = () => {
          dropped.told += progress.update(seen(sequence, place), first);
        };
        look();
        for (const what of steps) {
          if (what === 'append') last++;
          else if (what === 'look') look();
          else if (what === 'again' && place > 0) progress.arrived(delivery(++sequence, place, 2));
          else if (what === 'drop' && first <= last) {
            if (first > place) dropped.seen++;
            first++;
          } else if (what === 'hand out' && Math.max(place + 1, first) <= last) {
            place = Math.max(place + 1, first);
            progress.arrived(delivery(++sequence, place));
          }
        }
        look();
        expect(dropped.told).toBe(dropped.seen);
      }),
    );
  });
});

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

describe('a shared rate limit', () => {
  const limit = { perSecond: 10, burst: 5 };

  test('starts full, gives no more than there is, and fills with time', () => {
    const first = lease(undefined, 3, limit, 1000);
    expect(first).toEqual({ taken: 3, next: { tokens: 2, at: 1000 } });
    const second = lease(first.next, 3, limit, 1000);
    expect(second.taken).toBe(2);
    expect(lease(second.next, 1, limit, 1099).taken).toBe(0);
    expect(lease(second.next, 1, limit, 1100).taken).toBe(1);
    expect(lease(second.next, 100, limit, 999_999).taken).toBe(5);
  });

  test('a clock that is behind adds nothing', () => {
    const { next } = lease(undefined, 5, limit, 10_000);
    expect(lease(next, 1, limit, 5_000)).toEqual({ taken: 0, next: { tokens: 0, at: 10_000 } });
  });

  test('a clock that is far ahead stops nobody', () => {
    let state: ReturnType<typeof lease>['next'] | undefined;
    ({ next: state } = lease(state, 5, limit, 0));
    ({ next: state } = lease(state, 2, limit, 3_600_000));
    let taken = 0;
    for (let now = 1_000; now <= 60_000; now += 1_000) {
      const got = lease(state, 5, limit, now);
      state = got.next;
      taken += got.taken;
    }
    // The burst is what the bucket can give each second here.
    expect(taken).toBeGreaterThan(5 * 60 - 10);
  });

  test('replicas that take turns get the limit together, whatever they ask for', () => {
    let state: ReturnType<typeof lease>['next'] | undefined;
    let taken = 0;
    for (let now = 0; now <= 60_000; now += 37) {
      const got = lease(state, 1 + (now % 3), limit, now);
      state = got.next;
      taken += got.taken;
    }
    expect(taken).toBeGreaterThan(10 * 60 - 5);
    expect(taken).toBeLessThanOrEqual(10 * 60 + 5);
  });
});

test('answers about a new stream outlive a confirmation that began with the old one', async () => {
  vi.useFakeTimers();
  const connect = () => {
    const sent: string[] = [];
    const flushed = Promise.withResolvers<void>();
    const connection = { publish: (reply: string) => sent.push(reply), flush: () => flushed.promise };
    return { sent, flushed, session: { connection } as unknown as Session };
  };
  const [before, after] = [connect(), connect()];
  const acks = new Acks();
  acks.up(before.session);
  acks.ack('old');
  await vi.advanceTimersByTimeAsync(100);
  acks.forget();
  acks.ack('new');
  before.flushed.resolve();
  await vi.advanceTimersByTimeAsync(0);
  acks.down();
  acks.up(after.session);
  expect(after.sent).toEqual(['new']);
  vi.useRealTimers();
});

test('what is recent is remembered for its time, not for ever', () => {
  const recent = new Recent(100);
  const has = (...sequences: number[]) => sequences.map(sequence => recent.has(sequence, 7));
  recent.add(1, 7, 0);
  recent.add(2, 7, 99);
  expect(has(1, 2, 3)).toEqual([true, true, false]);
  recent.add(3, 7, 150);
  expect(has(1)).toEqual([true]);
  recent.add(4, 7, 260);
  expect(has(1, 3, 4)).toEqual([false, true, true]);
  expect(recent.has(4, 8)).toBe(false);
});

describe('alerts parsed once', () => {
  const alert = numbered(1);

  test('the stored one comes back as it is', () => {
    const cache = new AlertCache();
    cache.set(7, alert);
    expect(cache.get(7, alert.uuid, alert.bytes)).toBe(alert);
  });

  test('a message in the same place of another stream is not taken for it', () => {
    const cache = new AlertCache();
    const other = numbered(2);
    cache.set(7, alert);
    expect(cache.get(7, other.uuid, other.bytes).rule).toBe('rule 2');
    expect(cache.get(7, other.uuid, other.bytes).uuid).toBe(other.uuid);
  });

  test('what is no alert throws', () => {
    expect(() => new AlertCache().get(1, undefined, Buffer.from('{}'))).toThrow(SyntaxError);
  });
});

describe('what is in hand of one output', () => {
  function openLane() {
    const sent: string[] = [];
    const acks = new Acks();
    acks.up({
      connection: { publish: (reply: string) => sent.push(reply), flush: async () => undefined },
    } as unknown as Session);
    const lane = new Lane({
      output: 'a',
      acks,
      alerts: new AlertCache(),
      clock: realClock,
      log: recordingLogger(),
      bury: () => Promise.reject(new Error('the stream is full')),
      unreadable: () => {},
    });
    lane.open();
    const arrive = (number: number, streamSequence: number, timestampNanos: number, reply = 'r') => {
      const info = { streamSequence, timestampNanos, deliveryCount: 1 };
      const { bytes: data } = numbered(number);
      lane.arrived({ info, reply, data, time: new Date() } as unknown as Pulled);
    };
    return { lane, arrive, sent };
  }

  test('an alert whose dead letter cannot be stored is still to be settled, and comes again', async () => {
    const { lane, arrive } = openLane();
    arrive(1, 1, 10);
    const [held] = lane.take(1);
    await expect(held!.bury(new Error('refused'))).rejects.toThrow('the stream is full');
    expect(lane.count()).toEqual({ inFlight: 1, waiting: 0 });
    held!.retry(0, new Error('refused'));
    expect(lane.take(1)).toMatchObject([{ offset: 1, attempt: 2 }]);
  });

  test('what is settled and comes again is not handed out again', () => {
    const { lane, arrive, sent } = openLane();
    arrive(1, 7, 10);
    lane.take(1)[0]!.ack();
    arrive(1, 7, 10, 'again');
    expect(lane.take(1)).toEqual([]);
    expect(sent).toEqual(['r', 'again']);
  });

  test('a new alert in the place of a settled one that the server has lost is handed out', () => {
    const { lane, arrive, sent } = openLane();
    arrive(1, 7, 10);
    lane.take(1)[0]!.ack();
    arrive(2, 7, 20, 'of 2');
    const taken = lane.take(2);
    expect(taken.map(numberOf)).toEqual([2]);
    expect(sent).toEqual(['r']);
    taken[0]!.ack();
    expect(sent).toEqual(['r', 'of 2']);
  });

  test.each(['ready', 'out', 'waiting'])(
    'a new alert in the place of one that is %s, which the server has lost: both are handed out, each settled by itself',
    state => {
      const { lane, arrive, sent } = openLane();
      arrive(1, 7, 10, 'of 1');
      const out = state === 'ready' ? [] : lane.take(1);
      if (state === 'waiting') out.pop()!.retry(0, new Error('refused'));
      sent.length = 0;
      arrive(2, 7, 20, 'of 2');
      const both = [...out, ...lane.take(2)];
      expect(both.map(numberOf).sort()).toEqual([1, 2]);
      sent.length = 0;
      for (const held of both) held.ack();
      expect(sent).toEqual(['of 2']);
      expect(lane.size).toBe(0);
    },
  );
});

test('a dead letter that the cluster has not agreed on is not stored', async () => {
  const session = {
    connection: { info: { max_payload: 1 << 20 } },
    jetstream: { publish: async () => ({ stream: 'tiercel-dead', seq: 0, duplicate: true }) },
  };
  const letters = new StreamDeadLetters({
    transport: { headers: () => new Map() } as never,
    link: { session } as never,
    names: namesOf('tiercel'),
    log: recordingLogger(),
  });
  const alert = numbered(1);
  const letter = { output: 'a', alert, error: 'refused', reason: 'client_error', attempts: 1, buriedAt: 1 };
  await expect(letters.addOnce(letter as never, 7)).rejects.toThrow('not agreed');
});

describe('reading a stream of a cluster', () => {
  /** The leader has so many messages; the node that is asked has as many as `seen` says, call by call. */
  function clusterOf(count: number, seen: number[]) {
    const message = (seq: number) => ({ seq, time: new Date(seq), data: Buffer.from('x') });
    const consumerFrom = (first: number) => {
      const there = Array.from({ length: (seen.length > 1 ? seen.shift() : seen[0])! }, (_, at) => at + 1);
      const left = there.filter(seq => seq >= first).map(message);
      return {
        info: async () => ({ num_pending: left.length }),
        fetch: async () => Object.assign(left, { close: async () => {} }),
        delete: async () => true,
      };
    };
    return {
      jetstream: {
        consumers: {
          get: async (_: string, { opt_start_seq }: { opt_start_seq: number }) => consumerFrom(opt_start_seq),
        },
      },
      manager: { streams: { getMessage: async () => (count === 0 ? null : message(count)) } },
    } as unknown as Session;
  }
  const read = async (session: Session, end: number) => {
    const seqs: number[] = [];
    for await (const { seq } of readStream(session, 's', { from: 1, end })) seqs.push(seq);
    return seqs;
  };

  test('a node that is behind is waited for', async () => {
    expect(await read(clusterOf(3, [0, 1, 1, 3]), 4)).toEqual([1, 2, 3]);
  });

  test('where the leader has nothing either, that is all', async () => {
    expect(await read(clusterOf(0, [0]), 4)).toEqual([]);
    expect(await read(clusterOf(2, [2]), 4)).toEqual([1, 2]);
  });

  test('one that stays behind is told of', async () => {
    await expect(read(clusterOf(3, [1]), 4)).rejects.toThrow('behind its leader');
  }, 20_000);
});
