import { expect, test } from 'vitest';
import elasticsearch from '../../../src/outputs/elasticsearch/index.ts';
import otlpMetrics from '../../../src/outputs/otlp-metrics/index.ts';
import statsd from '../../../src/outputs/statsd.ts';

test.each([
  ['flush interval', elasticsearch.keys, { batching: { flushinterval: '35d' } }],
  ['interval of statsd', statsd.keys, { interval: '35d' }],
  ['interval of OTLP metrics', otlpMetrics.keys, { interval: '35d' }],
])('the %s beyond what timers can do is refused', (_, keys, values) => {
  expect(keys.safeParse(values).error?.issues[0]?.message).toContain('at most 24d');
});
