/**
 * Keeps what a pure function made of the argument asked about last: several outputs ask the same of one alert, about at
 * the same time, and one output asks the same of its settings for each alert.
 */
export function keepLatest<K, V>(make: (key: K) => V): (key: K) => V {
  let latest: { key: K; value: V } | undefined;
  return key => {
    if (!latest || latest.key !== key) latest = { key, value: make(key) };
    return latest.value;
  };
}
