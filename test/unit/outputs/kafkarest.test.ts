import { describe, expect, test } from 'vitest';
import { PermanentError, RetriableError } from '../../../src/core/errors.ts';
import { verdict } from '../../../src/outputs/kafkarest.ts';

const offsets = (code: number | null) =>
  JSON.stringify({
    key_schema_id: null,
    offsets: [{ partition: 0, offset: code ? null : 7, error_code: code }],
  });

describe('an answer of 200 by the REST proxy', () => {
  test.each([offsets(null), '{}', '', 'ok', '{"offsets":null}', '{"offsets":[null]}', '[]', 'null'])(
    '%j is a success',
    body => expect(() => verdict({ body })).not.toThrow(),
  );

  test('with error code 2 is worth another try, with 1 it is not', () => {
    expect(() => verdict({ body: offsets(2) })).toThrow(RetriableError);
    expect(() => verdict({ body: offsets(1) })).toThrow(PermanentError);
    expect(() => verdict({ body: offsets(50003) })).toThrow(RetriableError);
  });
});
