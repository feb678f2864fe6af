import { expect, test } from 'vitest';
import { Ledger, Tally } from '../../../bench/ledger.ts';

test('a tally knows what was lost, doubled and late', () => {
  const ledger = new Ledger();
  const tally = new Tally();
  for (let number = 0; number < 4; number++) expect(ledger.take()).toBe(number);
  for (const number of [0, 1, 2]) ledger.acknowledged[number] = 1;
  tally.record({ number: 0, dueMs: 100 }, 110);
  tally.record({ number: 0, dueMs: 100 }, 500);
  tally.record({ number: 3, dueMs: 200 }, 260);
  const all = { first: 0, end: ledger.next };
  expect(tally.count('duplicates')).toBe(1);
  expect(tally.deliveredIn(all)).toBe(2);
  expect(tally.lostOf(ledger, all)).toBe(2);
  expect([...tally.latenciesOf(all)]).toEqual([10, 60]);
  expect(tally.lastArrival(all, 150)).toBe(110);
  expect(tally.lastArrival(all, 1000)).toBe(260);
});
