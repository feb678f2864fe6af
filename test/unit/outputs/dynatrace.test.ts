import { expect, test } from 'vitest';
import { toEntry } from '../../../src/outputs/dynatrace/entry.ts';
import { alertOf } from '../../support/alerts.ts';

const spanOf = (id: string) =>
  (
    toEntry(
      alertOf(
        `{"rule":"R","priority":"Notice","time":"2026-01-31T12:00:00Z","output":"o","output_fields":{"span.id":${id}}}`,
      ),
    ) as Record<string, unknown>
  )['span.id'];

test.each([
  ['"a1"', 'a1'],
  ['12', '12'],
  ['9223372036854775807', '9223372036854775807'],
  ['true', 'true'],
  ['["a",1]', '[a 1]'],
  ['null', undefined],
  ['""', undefined],
])('the span of %s is %s, whatever its type', (id, span) => {
  expect(spanOf(id)).toBe(span);
});
