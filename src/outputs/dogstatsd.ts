import { z } from 'zod';
import { defineOutput } from '../core/contract.ts';
import { parseHostPort } from './_kit/hostport.ts';
import { BATCH, StatsdCounters } from './_kit/statsd/counters.ts';
import { DEFAULT_PORT, statsdKeys, statsdProblems } from './_kit/statsd/keys.ts';

const MIN_INTERVAL_MS = 100;

export default defineOutput({
  name: 'dogstatsd',
  title: 'DogStatsD',
  category: 'metrics',
  docs: "Counts alerts by priority as they are delivered, and every `interval` what Tiercel has received and sent since, with tags, see https://docs.datadoghq.com/extend/dogstatsd. What could not be sent is sent later; what the network loses is gone. Tiercel's own counts of its last moments may be missing, those of the last interval when it is killed.",
  keys: z.object(statsdKeys),
  enabled: config => config.forwarder !== '',
  check: statsdProblems,
  batch: BATCH,
  concurrency: 1,
  async open({ namespace, tags, forwarder, interval }, host) {
    return new StatsdCounters({
      forwarder: parseHostPort(forwarder, DEFAULT_PORT),
      style: { namespace, tags, form: 'tags' },
      intervalMs: Math.max(MIN_INTERVAL_MS, interval),
      host,
    });
  },
  example: { forwarder: 'datadog-agent.example:8125' },
});
