import { expect, test } from 'vitest';
import type { Replayable } from '../../src/core/delivery/replay.ts';
import { replayEntries, replayLetters } from '../../src/core/replay.ts';
import { LetterBox } from '../support/delivery.ts';
import { numbered, realClock } from '../support/spool.ts';

const box = new LetterBox();
const alert = numbered(1, 'x'.repeat(15_000_000));

async function* five() {
  for (let id = 1; id <= 5; id++)
    yield {
      id,
      offset: id,
      appendedAt: 1,
      alert,
      output: 'a',
      error: '',
      reason: '',
      attempts: 1,
      buriedAt: 1,
    };
}

test.each([
  ['dead letters', () => replayLetters(five(), box, realClock)],
  ['the log', () => replayEntries('a', five(), box, realClock)],
])('a replay of %s has only some 32 MiB under way', async (_, replay) => {
  const source = replay();
  const taken: Replayable[] = [];
  const next = () => source.next().then(({ value }) => value && taken.push(value));
  await next();
  await next();
  const third = next();
  await new Promise(resolve => setTimeout(resolve, 20));
  expect(taken).toHaveLength(2);
  taken[0]!.ack();
  await third;
  const fourth = next();
  await taken[1]!.bury(new Error('refused'));
  await fourth;
  expect(taken.map(({ offset }) => offset)).toEqual([1, 2, 3, 4]);
});
