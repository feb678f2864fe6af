/**
 * Counts a conformance run against the list of deliberate differences: `node conformance-tally.mjs RESULTS.json`.
 * A listed case has to fail (else the list is stale), every other one has to pass. Prints `N passed, N failed`.
 */
import { readFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
const { results } = JSON.parse(readFileSync(file, 'utf8'));
const list = new URL('../test/conformance/differences.json', import.meta.url);
const differences = JSON.parse(readFileSync(list, 'utf8'));

const wrong = results.filter(({ id, ok }) => ok === id in differences);
for (const { id, ok, fails = [] } of wrong) {
  console.log(
    ok
      ? `STALE ${id}: passes, but is listed as a difference`
      : `FAIL ${id}: ${fails.slice(0, 3).join(' || ')}`,
  );
}
for (const { id } of results.filter(({ id, ok }) => !ok && id in differences)) {
  console.log(`DIFFERS ${id}: ${differences[id]}`);
}
console.log(`${results.length - wrong.length} passed, ${wrong.length} failed`);
process.exitCode = wrong.length > 0 || results.length === 0 ? 1 : 0;
