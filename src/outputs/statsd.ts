import { z } from 'zod';
import { defineOutput } from '../core/contract.ts';
import { flag } from '../core/keys.ts';
import { parseHostPort } from './_kit/hostport.ts';
import { BATCH, StatsdCounters } from './_kit/statsd/counters.ts';
import { DEFAULT_PORT, statsdKeys, statsdProblems } from './_kit/statsd/keys.ts';

const MIN_INTERVAL_MS = 100;

export default defineOutput({
  name: 'statsd',
  title: 'StatsD',
  category: 'metrics',
  docs: "Counts alerts by priority as they are delivered, and every `interval` what Tiercel has received and sent since, see https://github.com/statsd/statsd. What could not be sent is sent later; what the network loses is gone. Tiercel's own counts of its last moments may be missing, those of the last interval when it is killed.",
  keys: z.object({
    ...statsdKeys,
    inputtags: flag(
      'Sends `falco.accepted` and `inputs.requests.rejected` also as falcosidekick does, with DogStatsD tags. A server that knows no tags refuses these lines and has the dotted names.',
      true,
    ),
  }),
  enabled: config => config.forwarder !== '',
  check: statsdProblems,
  batch: BATCH,
  concurrency: 1,
  async open({ namespace, tags, inputtags, forwarder, interval }, host) {
    return new StatsdCounters({
      forwarder: parseHostPort(forwarder, DEFAULT_PORT),
      style: { namespace, tags, form: 'dots', inputTags: inputtags },
      intervalMs: Math.max(MIN_INTERVAL_MS, interval),
      host,
    });
  },
  example: { forwarder: 'statsd.example:8125' },
});
