/** What every output of the registry has to be. */
import { describe, expect, test } from 'vitest';
import { keyMeta } from '../../src/core/keys.ts';
import { outputs } from '../../src/outputs/index.ts';
import { configOf } from '../support/contract.ts';

test('names are unique, plain and sorted', () => {
  const names = outputs.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]*(\.[a-z0-9]+)?$/);
});

describe.each(outputs)('$name', definition => {
  test('its example turns it on, and nothing else does', () => {
    expect(definition.enabled(configOf(definition))).toBe(true);
    expect(definition.enabled(configOf(definition, {}))).toBe(false);
  });

  test('its example has nothing to complain about', () => {
    expect(definition.check?.(configOf(definition)) ?? []).toEqual([]);
  });

  test('says what it is, with a link or a full sentence', () => {
    expect(definition.title).not.toBe('');
    expect(definition.docs).toMatch(/^[A-Z].*\.$/s);
  });

  test('each key is described', () => {
    for (const [name, schema] of Object.entries(definition.keys.shape)) {
      expect(keyMeta(schema as never)?.description, name).toMatch(/^\S.*\.$/s);
    }
  });

  test('batches and windows have sensible limits', () => {
    const { batch, concurrency = 1 } = definition;
    expect(concurrency).toBeGreaterThan(0);
    if (batch) {
      expect(batch.items).toBeGreaterThan(1);
      expect(batch.bytes).toBeGreaterThan(1000);
      expect(batch.waitMs).toBeLessThanOrEqual(10_000);
    }
  });
});
