/** What outputs make of the fields that the configuration adds to alerts. */
import { afterEach, expect, test } from 'vitest';
import { answer, HttpSink } from '../support/http-sink.ts';
import { TestDaemon, until } from './support.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('custom and templated fields are labels for Loki; OTLP metrics are counted by custom ones alone', async () => {
  const far = await HttpSink.listen((_request, socket) => void socket.write(answer(200, '')));
  const daemon = new TestDaemon();
  cleanups.push(
    () => daemon.remove(),
    () => far.close(),
  );
  await daemon.start({
    customfields: { team: 'blue' },
    templatedfields: { where: 'in {{ index . "proc.cmdline" }}' },
    loki: { hostport: far.origin },
    otlp: { metrics: { endpoint: `${far.origin}/v1/metrics` } },
  });
  const alert = { rule: 'R', priority: 'Notice', time: '2026-01-31T12:00:00Z', output: 'o' };
  expect(await daemon.post({ ...alert, output_fields: { 'proc.cmdline': 'sh -c 1' } })).toBe(200);
  const arrived = (path: string) => far.requests.find(({ target }) => target.startsWith(path))?.body;
  await until('both have it', () => Boolean(arrived('/loki') && arrived('/v1/metrics')));
  expect(JSON.parse(arrived('/loki')!).streams[0].stream).toMatchObject({
    team: 'blue',
    where: 'in sh -c 1',
  });
  expect(arrived('/v1/metrics')).toContain('blue');
  expect(arrived('/v1/metrics')).not.toContain('sh -c 1');
});
