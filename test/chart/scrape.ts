/** A scrape of a running daemon to which everything has happened that is counted. */
import { numbered, Sink, TestDaemon, until } from '../e2e/support.ts';

const HAS_TO_SHOW = [
  /status="error"/,
  /tiercel_output_buried_total\{.*\} [1-9]/,
  /tiercel_output_dropped_total\{/,
  /tiercel_output_retries_total\{/,
  /tiercel_refusals_total\{.*\} [1-9]/,
];

/** What a daemon shows whose log is on NATS, here out of reach. */
export async function scrapeWithNats(): Promise<string> {
  const daemon = new TestDaemon();
  try {
    await daemon.start({ spool: { driver: 'jetstream', servers: 'nats://127.0.0.1:1' } });
    return await (await fetch(new URL('/metrics', daemon.url))).text();
  } finally {
    await daemon.remove();
  }
}

/** One output that accepts, one that refuses for good, one that is down; alerts get too old for the last. */
export async function scrapeOfEverything(): Promise<string> {
  const daemon = new TestDaemon();
  const sink = await new Sink().start();
  try {
    const port = new URL(sink.url).port;
    await daemon.start({
      webhook: [
        { name: 'good', address: sink.url },
        // The sink's port does not speak this.
        { name: 'down', address: `https://127.0.0.1:${port}/`, checkcert: false },
        { name: 'given-up', address: `https://127.0.0.1:${port}/`, delivery: { retry: { attempts: 1 } } },
      ],
      spool: { maxage: '1s' },
    });
    let text = '';
    let next = 0;
    await until('everything has been counted', async () => {
      await daemon.post(numbered(next++));
      await fetch(daemon.url, { method: 'POST', body: 'no alert' });
      text = await (await fetch(new URL('/metrics', daemon.url))).text();
      return HAS_TO_SHOW.every(part => part.test(text));
    });
    return text;
  } finally {
    await daemon.remove();
    await sink.stop();
  }
}
