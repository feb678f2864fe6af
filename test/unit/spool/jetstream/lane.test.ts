import { describe, expect, test } from 'vitest';
import { Acks } from '../../../../src/core/spool/jetstream/acks.ts';
import { AlertCache } from '../../../../src/core/spool/jetstream/alerts.ts';
import { Lane } from '../../../../src/core/spool/jetstream/lane.ts';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';
import type { Pulled } from '../../../../src/core/spool/jetstream/puller.ts';
import { recordingLogger } from '../../../support/logger.ts';
import { numbered, numberOf, realClock } from '../../../support/spool.ts';

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
