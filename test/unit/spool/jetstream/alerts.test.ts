import { describe, expect, test } from 'vitest';
import { AlertCache } from '../../../../src/core/spool/jetstream/alerts.ts';
import { numbered } from '../../../support/spool.ts';

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
