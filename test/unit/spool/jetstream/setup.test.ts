import { describe, expect, test } from 'vitest';
import type { SpoolConfig } from '../../../../src/core/config/types.ts';
import { namesOf } from '../../../../src/core/spool/jetstream/names.ts';
import {
  alertStream,
  deadStream,
  differences,
  unfitness,
} from '../../../../src/core/spool/jetstream/setup.ts';
import { jetStreamConfig } from '../../../support/jetstream.ts';
import { SPOOL } from '../../../support/spool.ts';

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
