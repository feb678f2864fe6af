/** Keys that statsd and DogStatsD share, and what is wrong with their values. */
import { list, text, wait } from '../../../core/keys.ts';
import { parseHostPort } from '../hostport.ts';

export const DEFAULT_PORT = 8125;

export const statsdKeys = {
  forwarder: text('Server as host:port, reached over UDP; setting it turns the output on.'),
  namespace: text('Stands in front of the names of all metrics.', 'falcosidekick.'),
  tags: list('Tags of all metrics, `name:value`, written as DogStatsD has them.'),
  interval: wait("Time between two sends of the daemon's own counts.", '1s'),
};

export function statsdProblems(config: { forwarder: string; namespace: string; tags: readonly string[] }) {
  const problems: { path: string; message: string }[] = [];
  try {
    parseHostPort(config.forwarder, DEFAULT_PORT);
  } catch (error) {
    problems.push({ path: 'forwarder', message: (error as Error).message });
  }
  if (/[:|@\s]/.test(config.namespace)) {
    problems.push({
      path: 'namespace',
      message: 'expected a text without blanks, colons, bars and at signs',
    });
  }
  if (config.tags.some(tag => tag === '' || /[|,\r\n]/.test(tag))) {
    problems.push({ path: 'tags', message: 'expected tags without commas, bars and line breaks' });
  }
  return problems;
}
