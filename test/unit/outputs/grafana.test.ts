/** Annotations that Grafana would not store. */
import { expect, test } from 'vitest';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import grafana from '../../../src/outputs/grafana.ts';
import { alertOf } from '../../support/alerts.ts';
import { configOf, openAgainst } from '../../support/contract.ts';
import { closeClients, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';

const definition = grafana as unknown as OutputDefinition;

/** The annotation of an alert. */
async function annotationOf(alert: object): Promise<{ tags: string[]; text: string }> {
  const sink = await HttpSink.listen(always(200, '{}'));
  try {
    const config = configOf(definition, { ...definition.example, allfieldsastags: true });
    const { output } = await openAgainst(definition, sink, { config });
    const head = { rule: 'R', priority: 'Notice', time: '2026-01-31T12:00:00Z', output: 'text' };
    await output.send([alertOf(JSON.stringify({ ...head, ...alert }))], { signal: patience(), attempt: 1 });
    return JSON.parse(sink.requests[0]!.body);
  } finally {
    await closeClients();
    await sink.close();
  }
}

test('tags stay within the room that Grafana has for them', async () => {
  const fields = Array.from({ length: 30 }, (_, index): [string, string] => [
    `f.${index}`,
    'é"'.repeat(index),
  ]);
  const { tags } = await annotationOf({
    output_fields: { ...Object.fromEntries(fields), 'a.cmdline': '😀'.repeat(900), 'z.pod': 'pod' },
    tags: ['shell'],
  });
  // Its own count, without the escapes.
  const counted = tags.reduce((sum, tag) => sum + Buffer.byteLength(tag) + 3, 1);
  expect(counted).toBeLessThanOrEqual(500);
  expect(Math.max(...tags.map(tag => tag.length))).toBeLessThanOrEqual(100);
  expect(tags.slice(0, 3)).toEqual(['falco', 'Notice', 'R']);
  expect(tags).toContain('pod');
  expect(tags).toContain('shell');
});

test('a text stays within what a column of MySQL holds', async () => {
  const { text } = await annotationOf({ output: '漢'.repeat(50_000) });
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_535);
  expect((await annotationOf({ output: 'é'.repeat(30_000) })).text).toBe('é'.repeat(30_000));
});
