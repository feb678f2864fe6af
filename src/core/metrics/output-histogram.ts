/** A histogram by output that is cheap to observe with. */
import { Histogram, type Registry } from 'prom-client';

export interface OutputHistogramOptions {
  name: string;
  help: string;
  /** Upper bounds, ascending. */
  buckets: readonly number[];
  registry: Registry;
}

/** What was observed of one output. */
export class OutputSeries {
  readonly sharedLabels: { output: string };
  /** How many values lie in each bucket alone; the last one is for those above all bounds. */
  readonly counts: number[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(output: string, bounds: readonly number[]) {
    this.sharedLabels = { output };
    this.counts = Array(bounds.length + 1).fill(0);
    this.#bounds = bounds;
  }

  observe(value: number): void {
    const { length } = this.#bounds;
    let bucket = 0;
    while (bucket < length && value > this.#bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }
}

/**
 * Counts in arrays of its own and hands its series to prom-client when they are read: prom-client's own `observe`
 * checks and hashes the labels each time, for every alert and output.
 */
export class OutputHistogram {
  readonly #buckets: readonly number[];
  readonly #name: string;
  readonly #series = new Map<string, OutputSeries>();

  constructor({ name, help, buckets, registry }: OutputHistogramOptions) {
    this.#buckets = buckets;
    this.#name = name;
    const metric = new Histogram({
      name,
      help,
      buckets: [...buckets],
      labelNames: ['output'],
      registers: [registry],
    });
    const { type, aggregator } = metric as unknown as { type: string; aggregator: string };
    // The first is for whoever reads the values, the second for the text; both take prom-client's own form.
    const describe = async () => ({ name, help, type, aggregator, values: this.#values() });
    Object.assign(metric, { get: describe, getForPromString: describe });
  }

  /** An output's series; it is shown from now on, so ask when there is something to observe. */
  of(output: string): OutputSeries {
    const known = this.#series.get(output);
    if (known) return known;
    const series = new OutputSeries(output, this.#buckets);
    this.#series.set(output, series);
    return series;
  }

  #values() {
    return [...this.#series.values()].flatMap(({ sharedLabels, counts, sum }) => {
      let below = 0;
      const buckets = counts.map((count, index) => {
        below += count;
        const le = this.#buckets[index] ?? '+Inf';
        return { labels: { le }, sharedLabels, value: below, metricName: `${this.#name}_bucket` };
      });
      return [
        ...buckets,
        { labels: {}, sharedLabels, value: sum, metricName: `${this.#name}_sum` },
        { labels: {}, sharedLabels, value: below, metricName: `${this.#name}_count` },
      ];
    });
  }
}
