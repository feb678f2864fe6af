import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRedactor } from '../../src/core/redact.ts';

/** A text as a path may hold it: what must be is percent-encoded, of the rest what `choose` picks. */
function encodedBy(choose: (index: number) => boolean, text: string): string {
  const encode = (character: string, index: number) =>
    /[a-z0-9]/i.test(character) && !choose(index) ? character : percentEncoded(character);
  return [...text].map(encode).join('');
}

const percentEncoded = (character: string) =>
  [...Buffer.from(character)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('');

test('however the path of a secret address is encoded, an answer that repeats it decoded shows nothing', () => {
  const token = fc.string({ unit: 'binary', minLength: 8, maxLength: 40 }).map(text => `T-${text}`);
  fc.assert(
    fc.property(token, fc.array(fc.boolean(), { minLength: 1 }), (secret, choices) => {
      const path = encodedBy(index => choices[index % choices.length]!, secret);
      const redact = createRedactor([`https://host.example/hook/${path}`]);
      for (const shown of [secret, path, encodeURIComponent(secret)])
        expect(redact(`no such place: /hook/${shown}`)).toBe('no such place: ***');
      expect(redact(`no such place: ${encodeURIComponent(`/hook/${secret}`)}`)).toBe('no such place: ***');
    }),
  );
});
