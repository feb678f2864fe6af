import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/core/metrics.ts';
import { alertOf } from '../support/alerts.ts';
import { alertText, anyText } from '../support/arbitraries.ts';

const EVENTS = 'falcosecurity_falcosidekick_falco_events_total{';
const SAMPLE = /^[a-z0-9_]+\{([a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+\} \d+$/;

it('no alert and no field name make a page that Prometheus refuses, and no count is lost', async () => {
  const names = fc.array(fc.oneof(anyText, fc.constantFrom('a', 'a.', 'a_', '[a]', 'le')), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(alertText, { maxLength: 8 }),
      names,
      fc.integer({ min: 1, max: 5 }),
      async (texts, fields, maxSeries) => {
        const metrics = createMetrics(
          {
            metrics: { extraLabels: fields, maxSeries },
            enrich: { customFields: { 'b.c': '1' }, templatedFields: { 'b-c': '' } },
          },
          { process: false },
        );
        for (const text of texts) metrics.event(alertOf(text));
        const page = Buffer.from((await metrics.text()).text).toString();
        const lines = page.split('\n').filter(line => line.startsWith(EVENTS));
        for (const line of lines) expect(line).toMatch(SAMPLE);
        expect(new Set(lines.map(line => line.slice(0, line.lastIndexOf(' ')))).size).toBe(lines.length);
        const labels = [...(lines[0] ?? '').matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"/g)].map(
          ([, name]) => name,
        );
        expect(new Set(labels).size).toBe(labels.length);
        expect(lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)).toBe(
          texts.length,
        );
      },
    ),
    { numRuns: 200 },
  );
});
