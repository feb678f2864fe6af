/**
 * Throughput and CPU per alert of one replica, the log on its own disk and on JetStream, side by side on this machine:
 *
 *     npm run build && npx node scripts/measure-spool.ts
 *
 * Each alert is posted by itself, goes into the log, and out to one webhook on this machine. The NATS server is one of its
 * own, found on the PATH; its CPU is told apart.
 */
import { readFileSync } from 'node:fs';
import { Pool } from 'undici';
import { numbered, Sink, TestDaemon, until } from '../test/e2e/support.ts';
import { startNats } from '../test/support/services/nats.ts';

const STEADY = { perSecond: 1_500, seconds: 15 };
const CLOSED = { connections: 64, seconds: 10 };
/** Ticks of /proc in a second. */
const HERTZ = 100;

/** CPU seconds of a process so far. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / HERTZ;
}

async function measure(name: string, spool: Record<string, unknown>, serverPid?: number): Promise<void> {
  const sink = await new Sink().start();
  const daemon = new TestDaemon();
  await daemon.start({ spool, log: { level: 'warn', format: 'json' }, webhook: { address: sink.url } });
  const pool = new Pool(daemon.url, { connections: CLOSED.connections });
  let next = 0;
  const post = async () => {
    const answer = await pool.request({ path: '/', method: 'POST', body: JSON.stringify(numbered(next++)) });
    await answer.body.dump();
  };
  const run = async (what: string, load: () => Promise<void>) => {
    const [before, cpu, server] = [next, cpuOf(daemon.pid), serverPid ? cpuOf(serverPid) : 0];
    const startedAt = performance.now();
    await load();
    const seconds = (performance.now() - startedAt) / 1000;
    await until('everything is delivered', () => sink.received.size === next, 120_000);
    const alerts = next - before;
    const micros = (used: number) => `${Math.round((used / alerts) * 1e6)} µs`;
    const ofServer = serverPid ? `, nats-server ${micros(cpuOf(serverPid) - server)}` : '';
    console.log(
      `${name}, ${what}: ${Math.round(alerts / seconds)} alerts/s taken, ` +
        `CPU per alert ${micros(cpuOf(daemon.pid) - cpu)}${ofServer}`,
    );
  };
  try {
    await run('warm-up', () => closedLoop(post, 3));
    await run(`steady ${STEADY.perSecond}/s`, () => steady(post));
    await run(`${CLOSED.connections} senders without a pause`, () => closedLoop(post, CLOSED.seconds));
  } finally {
    await pool.close();
    await daemon.remove();
    await sink.stop();
  }
}

async function steady(post: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  const total = STEADY.perSecond * STEADY.seconds;
  while (pending.length < total) {
    const due = Math.min(total, ((performance.now() - startedAt) / 1000) * STEADY.perSecond);
    while (pending.length < due) pending.push(post());
    await new Promise(resolve => setTimeout(resolve, 2));
  }
  await Promise.all(pending);
}

async function closedLoop(post: () => Promise<void>, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const sender = async () => {
    while (performance.now() < end) await post();
  };
  await Promise.all(Array.from({ length: CLOSED.connections }, sender));
}

const nats = await startNats();
try {
  await measure('disk', { driver: 'disk' });
  const servers = [`127.0.0.1:${nats.port}`];
  await measure('jetstream', { driver: 'jetstream', servers, stream: 'measure' }, nats.pid());
} finally {
  await nats.remove();
}
process.exit(0);
