import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { healthy, Load, numbered, Sink, TestDaemon, until } from './support.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
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
  return { sink, daemon };
}

/** Segments of the log, newest last. */
function segments(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && statSync(join(entry.parentPath, entry.name)).size > 500)
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => /\.(log|seg|segment|spool)$/.test(file))
    .sort();
}

test('a corrupted log: clear error, daemon up, the rest delivered', async () => {
  const { sink, daemon } = await scene();
  sink.behaviour = () => {};
  await daemon.start({ webhook: { address: sink.url } });
  const load = new Load(daemon.url);
  cleanups.push(() => load.close());
  await load.run(200, 1_000);
  await daemon.end('SIGKILL');

  const [segment] = segments(daemon.dataDir);
  expect(segment).toBeDefined();
  const bytes = readFileSync(segment!);
  const middle = Math.floor(bytes.length / 2);
  bytes.fill(0xff, middle, middle + 20);
  writeFileSync(segment!, bytes);

  sink.behaviour = healthy;
  await daemon.restart();
  await until('all but the damaged alerts have arrived', () => sink.received.size >= 197);
  expect(load.acknowledged.size - sink.received.size).toBeLessThanOrEqual(3);
  expect(daemon.logs).toMatch(/set aside|could not be read|damaged|corrupt/i);
  expect(await daemon.post(numbered(1_000))).toBe(200);
  await until('a new alert arrives', () => sink.received.has(1_000));
}, 60_000);

/** Whether a small file system can be mounted here; with CI=true it has to. */
const canMount = process.env.CI === 'true' || process.getuid?.() === 0;

test.skipIf(!canMount)(
  'a full disk: 503, alerts still go out from memory, and all is well when there is space again',
  async () => {
    const { sink, daemon } = await scene();
    const volume = join(daemon.dir, 'data');
    mkdirSync(volume);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', volume], { stdio: 'pipe' });
    cleanups.push(() => execFileSync('umount', ['-l', volume]));
    await daemon.start({ webhook: { address: sink.url }, spool: { segmentbytes: '256KiB' } });
    expect(await daemon.post(numbered(0))).toBe(200);

    const ballast = join(volume, 'ballast');
    try {
      writeFileSync(ballast, Buffer.alloc(4 << 20));
    } catch {
      // It is full now, which is the point.
    }
    let status = 200;
    let n = 1;
    for (; n < 200 && status === 200; n++) status = await daemon.post(numbered(n));
    expect(status).toBe(503);
    await until('what was answered 503 still arrives', () => sink.received.has(n - 1));
    expect((await daemon.get('/readyz')).status).toBe(503);
    expect((await daemon.get('/readyz')).text).toMatch(/spool|disk|space/i);
    expect(daemon.logs).toMatch(/ENOSPC|no space/i);

    rmSync(ballast);
    await until('the daemon is ready again', async () => (await daemon.get('/readyz')).status === 200);
    expect(await daemon.post(numbered(5_000))).toBe(200);
    await until('it arrives', () => sink.received.has(5_000));
  },
  60_000,
);

test('a full log that may drop nothing: 503, not ready until there is room, and all that was taken arrives', async () => {
  const { sink, daemon } = await scene();
  sink.behaviour = (_request, response) => void response.writeHead(500).end();
  const spool = { maxbytes: '256KiB', segmentbytes: '64KiB', overflow: 'reject' };
  await daemon.start({ webhook: { address: sink.url, delivery: { breaker: { max: '500ms' } } }, spool });
  expect((await daemon.get('/readyz')).status).toBe(200);
  let n = 0;
  while (n < 2_000 && (await daemon.post(numbered(n))) === 200) n++;
  expect(n).toBeGreaterThan(100);
  expect(n).toBeLessThan(2_000);
  const { status, text } = await daemon.get('/readyz');
  expect(status).toBe(503);
  expect(JSON.parse(text)).toMatchObject({
    ready: false,
    problems: expect.arrayContaining([
      { part: 'spool', message: expect.stringContaining('the log is full'), blocking: true },
    ]),
  });
  expect((await daemon.get('/metrics')).text).toContain('tiercel_spool_full 1');

  sink.behaviour = healthy;
  await until('it is ready', async () => (await daemon.get('/readyz')).status === 200);
  await until('what was taken has arrived', () => sink.received.size === n);
  expect(await daemon.post(numbered(n))).toBe(200);
}, 60_000);
