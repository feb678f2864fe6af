/** The reader of the standard output goes away or stops to read: that is the console output's trouble alone. */
import { afterEach, expect, test } from 'vitest';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import { numbered, Sink, TestDaemon, until } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scene() {
  const sink = await new Sink().start();
  const daemon = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => sink.stop(),
  );
  // One failed try makes an output failing; each alert by itself, so that what is printed can be counted.
  const delivery = { timeout: '1s', breaker: { failures: 1, max: '500ms' } };
  await daemon.start({ console: { enabled: true }, webhook: { address: sink.url }, delivery });
  const consoleStatus = async () => {
    const { items } = await daemon.json<{ items: OutputStatus[] }>('/api/v1/outputs');
    return items.find(({ id }) => id === 'console')!;
  };
  return { sink, daemon, consoleStatus };
}

test('without a reader the console output fails, the others go on, and a new start prints what waits', async () => {
  const { sink, daemon, consoleStatus } = await scene();
  daemon.stdoutReader.destroy();
  expect(await daemon.post(numbered(1))).toBe(200);
  await until('the console output fails', async () => (await consoleStatus()).state === 'failing');
  expect((await consoleStatus()).lastError).toMatch(/standard output is closed/);
  expect(await daemon.post(numbered(2))).toBe(200);
  await until('the other output has both', () => sink.received.size === 2);
  expect(daemon.logs.match(/delivery failed, will be tried again/g)).toHaveLength(1);
  expect(daemon.logs).not.toMatch(/unexpected error/);
  expect(await daemon.end()).toBe(0);
  expect(daemon.logs).toMatch(/"message":"stopped"/);
  await daemon.restart();
  await until('both are printed', () => /number 1 .*number 2 /s.test(daemon.stdout));
});

test('a reader that does not read costs no memory for each try, and does not hold up the stop', async () => {
  const { sink, daemon, consoleStatus } = await scene();
  daemon.stdoutReader.pause();
  const large = { ...numbered(1), output: 'x'.repeat(1_000_000) };
  expect(await daemon.post(large)).toBe(200);
  await until('the console output fails', async () => (await consoleStatus()).state === 'failing');
  await until('it does not write on', async () =>
    /earlier lines/.test((await consoleStatus()).lastError ?? ''),
  );
  await until('the other output has it', () => sink.received.size === 1);
  expect(await daemon.end()).toBe(0);
});
