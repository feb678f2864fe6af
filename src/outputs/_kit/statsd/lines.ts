/** The daemon's counts as statsd lines, under falcosidekick's names. Pure. */
import type { Alert, Count } from '../../../core/contract.ts';

/** An increment of a counter. */
export interface Increment {
  name: string;
  tags: readonly (readonly [name: string, value: string])[];
  value: number;
}

/** How the tags of an increment are written: behind it, as DogStatsD has it, or as parts of its name. */
export type Form = 'tags' | 'dots';

export interface Style {
  /** In front of all names. */
  namespace: string;
  /** Tags of all lines, as they are written. */
  tags: readonly string[];
  form: Form;
  /** With form `dots`: the counters of what came in also with tags, as falcosidekick sends them to any statsd. */
  inputTags?: boolean;
}

/** falcosidekick knows two reasons to refuse a body. */
const ERRORS: Record<string, string> = {
  empty: 'nobody',
  not_json: 'invalidjson',
  not_an_alert: 'invalidjson',
  too_deep: 'invalidjson',
  too_many: 'invalidjson',
  missing_field: 'invalidjson',
  bad_field: 'invalidjson',
};

/** Sends of metrics are not told of in metrics: two such outputs would give each other reason for ever. */
const METRICS = /^(dog)?statsd(\.|$)/;

/** Alerts that were taken, by priority. */
export function alertIncrements(alerts: readonly Alert[]): Increment[] {
  const byPriority = Map.groupBy(alerts, ({ priority }) => priority);
  return [...byPriority].map(([priority, { length }]) => ({
    name: 'falco.accepted',
    tags: [['priority', priority]],
    value: length,
  }));
}

/** What was counted between two looks. */
export function countIncrements(before: readonly Count[], now: readonly Count[]): Increment[] {
  const keyOf = ({ of, labels }: Count) => JSON.stringify([of, labels]);
  const known = new Map(before.map(count => [keyOf(count), count.value]));
  const grown = now
    .map(count => ({ ...count, value: count.value - (known.get(keyOf(count)) ?? 0) }))
    .filter(({ value }) => value > 0);
  const total = grown.filter(({ of }) => of === 'inputs').reduce((sum, { value }) => sum + value, 0);
  return [...(total > 0 ? [{ name: 'total', tags: [], value: total }] : []), ...grown.flatMap(toIncrement)];
}

function toIncrement({ of, labels, value }: Count): Increment[] {
  const { status = '', reason = '', destination = '' } = labels;
  switch (of) {
    case 'inputs':
      return status === 'accepted' ? [{ name: 'inputs.requests.accepted', tags: [], value }] : [];
    case 'refusals':
      return [{ name: 'inputs.requests.rejected', tags: [['error', ERRORS[reason] ?? reason]], value }];
    case 'outputs': {
      const tags = [['output', destination] as const, ['status', status] as const];
      return METRICS.test(destination) ? [] : [{ name: 'outputs', tags, value }];
    }
  }
}

/** One line, or two where both forms are wanted; without line ends. */
export function toLines({ name, tags, value }: Increment, style: Style): string[] {
  const tagged = () => line(name, [...style.tags, ...tags.map(([key, word]) => `${key}:${word}`)]);
  const dotted = () => line([name, ...tags.map(([, word]) => toPart(word))].join('.'), style.tags);
  // falcosidekick sees to the dot itself.
  const prefix = style.namespace.replace(/[^.]$/, '$&.');
  const line = (full: string, all: readonly string[]) =>
    `${prefix}${full}:${value}|c${all.length > 0 ? `|#${all.join(',')}` : ''}`;
  if (style.form === 'tags') return [tagged()];
  const both = style.inputTags && tags.length > 0 && name !== 'outputs';
  return both ? [dotted(), tagged()] : [dotted()];
}

/** A dot would be one more level of names. */
function toPart(word: string): string {
  return word.replace(/[^a-zA-Z0-9_-]/g, '_');
}

/**
 * Lines in as few datagrams as hold them, at most that many bytes each. Every line has a newline behind it, as
 * falcosidekick's have.
 */
export function toDatagrams(lines: readonly string[], maxBytes: number): Buffer[] {
  const datagrams: string[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1;
    bytes += size;
    if (bytes > maxBytes) {
      datagrams.push('');
      bytes = size;
    }
    datagrams.push(`${datagrams.pop()}${line}\n`);
  }
  return datagrams.map(text => Buffer.from(text));
}
