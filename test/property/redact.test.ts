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

test('however a secret is escaped, in JSON or in a URL, a text that repeats it shows nothing', () => {
  const ways: readonly ((character: string) => string)[] = [
    character => character,
    character => JSON.stringify(character).slice(1, -1),
    character =>
      character.replace(
        /./gs,
        unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`,
      ),
    character => (character === '/' ? '\\/' : character),
    character => (character.isWellFormed() ? encodeURIComponent(character) : character),
    percentEncoded,
  ];
  // What stands for itself could begin an escape of another kind.
  const secret = fc
    .string({ unit: 'binary', minLength: 8, maxLength: 40 })
    .filter(text => !/[%\\+]/.test(text));
  fc.assert(
    fc.property(secret, fc.array(fc.nat(ways.length - 1), { minLength: 1 }), (text, choices) => {
      const shown = [...text]
        .map((one, index) => (/[a-z0-9]/i.test(one) ? one : ways[choices[index % choices.length]!]!(one)))
        .join('');
      expect(createRedactor([text])(`no: <${shown}>`)).toBe('no: <***>');
    }),
  );
});
