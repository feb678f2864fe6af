/** A labelled counter that is cheap to count with and cannot grow without end. */
import { Counter, type Registry } from 'prom-client';

/** The value that labels of counted-together series have. */
export const OVERFLOW = '_overflow_';

/** Longest label value, in UTF-16 units. Without a limit the limit on series would not bound memory. */
export const MAX_LABEL_LENGTH = 256;

export interface CappedCounterOptions {
  name: string;
  help: string;
  labelNames: readonly string[];
  registry: Registry;
  /** Series beyond this are counted together. */
  maxSeries: number;
  /** Labels with few values of their own: counted-together series keep them, so sums over them stay right. */
  keptLabels?: readonly string[];
  /** Told of each count that went to the counted-together series. */
  overflowed?(): void;
}

/** The counts of one set of label values. */
export interface Series {
  readonly labels: Record<string, never>;
  /** prom-client writes shared labels out once and remembers the text: a scrape of many series is several times faster. */
  readonly sharedLabels: Readonly<Record<string, string>>;
  value: number;
}

/** Series by their label values, a level of maps for each label: one key of all values would be text made anew each time. */
type Level = Map<string, Level | Series>;

/**
 * Counts in maps of its own, keyed by the label values, and hands its series to prom-client when they are read:
 * prom-client's own `inc` sorts, checks and hashes the labels each time.
 */
export class CappedCounter {
  readonly #series: Series[] = [];
  readonly #byValues: Level = new Map();
  /** Series beyond this are counted together. */
  maxSeries: number;
  readonly #options: CappedCounterOptions;

  constructor(options: CappedCounterOptions) {
    this.#options = options;
    this.maxSeries = options.maxSeries;
    const { name, help, labelNames, registry } = options;
    const metric = new Counter({ name, help, labelNames, registers: [registry] });
    const describe = metric.get.bind(metric);
    metric.get = async () => ({ ...(await describe()), values: [...this.#series] });
  }

  /** Counts a series by its label values, in the order of the label names. */
  inc(values: readonly string[], by = 1): void {
    this.series(values).value += by;
  }

  /**
   * The series of these label values, for who counts it often: to be kept only of a counter without a limit, as another
   * may have its series counted together. It is shown from now on.
   */
  series(values: readonly string[]): Series {
    return this.#find(values) ?? this.#slow(values);
  }

  /** Every series as it stands. */
  counts(): { labels: Readonly<Record<string, string>>; value: number }[] {
    return this.#series.map(({ sharedLabels, value }) => ({ labels: sharedLabels, value }));
  }

  /** Values that are not clean are never keys, so they end here each time: rare enough. */
  #slow(values: readonly string[]): Series {
    const clean = values.map(cleanValue);
    const known = this.#find(clean);
    if (known) return known;
    const { labelNames, keptLabels = [], overflowed } = this.#options;
    if (this.#series.length < this.maxSeries) return this.#add(clean);
    overflowed?.();
    const together = clean.map((value, index) =>
      keptLabels.includes(labelNames[index]!) ? value : OVERFLOW,
    );
    return this.#find(together) ?? this.#add(together);
  }

  #add(values: readonly string[]): Series {
    const { labelNames } = this.#options;
    const sharedLabels = Object.fromEntries(labelNames.map((name, index) => [name, values[index]!]));
    const series: Series = { labels: {}, sharedLabels, value: 0 };
    this.#series.push(series);
    let level = this.#byValues;
    for (const value of values.slice(0, -1)) {
      const next = (level.get(value) as Level | undefined) ?? new Map();
      level.set(value, next);
      level = next;
    }
    level.set(values.at(-1) ?? '', series);
    return series;
  }

  #find(values: readonly string[]): Series | undefined {
    const last = values.length - 1;
    let level = this.#byValues;
    for (let index = 0; index < last; index++) {
      const next = level.get(values[index]!);
      if (!next) return undefined;
      level = next as Level;
    }
    return level.get(values[last] ?? '') as Series | undefined;
  }
}

/** A value as it can stand in the exposition: well-formed, without NUL, cut on whole characters. */
function cleanValue(value: string): string {
  const short = value.slice(0, MAX_LABEL_LENGTH);
  const whole = value.length > MAX_LABEL_LENGTH ? short.replace(/[\ud800-\udbff]$/, '') : short;
  return whole.replaceAll('\0', '').toWellFormed();
}
