/** Counts alerts by their attributes, as an OTLP sum wants it: cumulative, each alert once. */
import { type Alert, outputField } from '../../core/alert/alert.ts';
import { legalNames, toLabelName } from '../_kit/names.ts';
import { toAttributes } from '../_kit/otlp/messages.ts';
import type { Message } from '../_kit/protobuf.ts';
import { byCodeUnit, truncate } from '../_kit/text.ts';

/** OpenTelemetry's default: opentelemetry.io/docs/specs/otel/metrics/sdk, "Cardinality limits". */
const MAX_SERIES = 2000;
/** Where what is more is counted together, by the same page. */
const OVERFLOW: Message = { key: 'otel.metric.overflow', value: { boolValue: true } };
/** With the limit on series, these bound what is kept. */
const MAX_TEXT = 256;
const MAX_TAGS = 64;
/** Alerts remembered as counted: far more than wait for a retry at once. */
const MAX_REMEMBERED = 10_000;

/** A count of alerts with the same attributes. */
export interface Series {
  readonly attributes: readonly Message[];
  value: number;
}

type Attribute = readonly [name: string, value: string | readonly string[]];

/**
 * The attributes of an alert, by name. `fields` gives output fields and the names of their attributes; only texts have
 * a value, as in falcosidekick.
 */
export function attributesOf(alert: Alert, fields: ReadonlyMap<string, string>): Attribute[] {
  const cut = (text: string) => truncate(text, MAX_TEXT);
  const list: Attribute[] = [
    ['hostname', cut(alert.hostname || 'unknown')],
    ['priority', alert.priority],
    ['rule', cut(alert.rule)],
    ['source', cut(alert.source)],
    ['tags', alert.tags.slice(0, MAX_TAGS).map(cut)],
  ];
  for (const [field, name] of fields) {
    const value = outputField(alert, field);
    list.push([name, typeof value === 'string' ? cut(value) : '']);
  }
  return list.sort(([a], [b]) => byCodeUnit(a, b));
}

/** What falcosidekick takes for a name, once dots are underscores. */
const LEGAL = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

function toAttributeName(field: string): string {
  const name = field.replaceAll('.', '_');
  return LEGAL.test(name) ? name : toLabelName(field);
}

/**
 * Which output fields become attributes, under which names: custom fields whose name is legal (dots become
 * underscores), and those that were asked for.
 */
export function fieldNames(custom: readonly string[], extra: readonly string[]): Map<string, string> {
  const plain = custom.filter(name => LEGAL.test(name.replaceAll('.', '_')));
  return legalNames([...new Set([...plain, ...extra])], toAttributeName, [
    'hostname',
    'priority',
    'rule',
    'source',
    'tags',
  ]);
}

export class AlertCounter {
  readonly #series = new Map<string, Series>();
  /** Ids of alerts that were counted, oldest first. */
  readonly #counted = new Set<string>();

  get series(): Series[] {
    return [...this.#series.values()];
  }

  /**
   * Counts alerts, but for those that are remembered: an alert that could not be exported comes again. Returns the
   * series that the alerts belong to.
   */
  count(alerts: readonly Alert[], fields: ReadonlyMap<string, string>): Series[] {
    const touched = new Set<Series>();
    for (const alert of alerts) {
      const series = this.#find(attributesOf(alert, fields));
      touched.add(series);
      if (this.#remember(alert.uuid)) series.value++;
    }
    return [...touched];
  }

  #find(attributes: readonly Attribute[]): Series {
    const key = JSON.stringify(attributes);
    const known = this.#series.get(key);
    if (known) return known;
    if (this.#series.size < MAX_SERIES - 1) return this.#add(key, toAttributes(attributes));
    return this.#series.get('') ?? this.#add('', [OVERFLOW]);
  }

  #add(key: string, attributes: readonly Message[]): Series {
    const series: Series = { attributes, value: 0 };
    this.#series.set(key, series);
    return series;
  }

  /** False when the alert was counted before. */
  #remember(uuid: string): boolean {
    if (this.#counted.has(uuid)) return false;
    this.#counted.add(uuid);
    if (this.#counted.size > MAX_REMEMBERED) this.#counted.delete(this.#counted.values().next().value!);
    return true;
  }
}
