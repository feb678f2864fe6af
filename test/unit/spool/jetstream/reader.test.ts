import { describe, expect, test } from 'vitest';
import type { Session } from '../../../../src/core/spool/jetstream/link.ts';
import { readStream } from '../../../../src/core/spool/jetstream/reader.ts';

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
