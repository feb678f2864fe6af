/** Figures out of figures; all of these are pure. */

/** The value below which the given share (0 to 1) of the values lies; NaN when there are none. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle value, or the mean of the two; NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[half]!;
  return sorted.length === 0 ? Number.NaN : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** What came of one figure over all runs. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  values: number[];
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values: [...values] };
}

/** Ours divided by theirs; undefined where that says nothing. */
export function ratio(ours: number, theirs: number): number | undefined {
  return theirs > 0 && Number.isFinite(ours) ? ours / theirs : undefined;
}

/** Ours divided by theirs, over pairs: the mean (geometric), and the range that has it in 95 of 100 cases. */
export interface PairedRatio {
  mean: number;
  low: number;
  high: number;
}

/** Compares value by value, so that what slowed both of a pair down does not count. NaN for fewer than two pairs. */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): PairedRatio {
  const logs = ours.map((value, index) => Math.log(value / theirs[index]!));
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const reach = 1.96 * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - reach), high: Math.exp(mean + reach) };
}

/** The slope of the straight line through points of [x, y] with the least squares; NaN for fewer than two. */
export function slope(points: ReadonlyArray<readonly [number, number]>): number {
  const mean = (pick: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const meanX = mean(([x]) => x);
  const meanY = mean(([, y]) => y);
  const across = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const along = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return points.length < 2 ? Number.NaN : across / along;
}

/** Three significant digits, and none after the point from a hundred on. */
export function rounded(value: number): number {
  if (!Number.isFinite(value)) return value;
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
