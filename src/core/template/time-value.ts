/** Go's time types as template values: Time, Duration, Month, Weekday. */
import { Fault } from './errors.ts';
import {
  type Clock,
  clockOf,
  formatInstant,
  type Instant,
  MONTHS,
  RFC3339_NANO,
  STRING_LAYOUT,
  utcSeconds,
  WEEKDAYS,
  ZERO_TIME,
} from './time.ts';
import {
  asInt,
  bind,
  GoValue,
  Int,
  type IntType,
  int64,
  type Method,
  type MethodTable,
  type Value,
} from './value.ts';

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const MAX_DURATION = 2n ** 63n - 1n;
// Beyond this many seconds a JavaScript Date knows no calendar.
const MAX_SECONDS = 8_640_000_000_000;

const MONTH: IntType = { name: 'time.Month', kind: 'int', text: value => MONTHS[Number(value) - 1] ?? '' };
const WEEKDAY: IntType = { name: 'time.Weekday', kind: 'int', text: value => WEEKDAYS[Number(value)] ?? '' };

const DURATION_METHODS: MethodTable<Int> = new Map([
  ['Hours', [[], self => inUnits(self.value, HOUR)]],
  ['Minutes', [[], self => inUnits(self.value, MINUTE)]],
  ['Seconds', [[], self => inUnits(self.value, SECOND)]],
  ['Milliseconds', [[], self => int64(self.value / 1_000_000n)]],
  ['Microseconds', [[], self => int64(self.value / 1000n)]],
  ['Nanoseconds', [[], self => int64(self.value)]],
  ['Abs', [[], self => duration(self.value < 0n ? -self.value : self.value)]],
] satisfies [string, readonly [string[], (self: Int) => Value]][]);

const DURATION: IntType = {
  name: 'time.Duration',
  kind: 'int',
  text: durationText,
  methods: DURATION_METHODS,
};

function duration(nanos: bigint): Int {
  const bounded =
    nanos > MAX_DURATION ? MAX_DURATION : nanos < -MAX_DURATION - 1n ? -MAX_DURATION - 1n : nanos;
  return new Int(DURATION, bounded);
}

function inUnits(nanos: bigint, unit: bigint): number {
  return Number(nanos / unit) + Number(nanos % unit) / Number(unit);
}

/** `1h2m3.5s`, `250ms`, `0s`. */
function durationText(nanos: bigint): string {
  if (nanos < 0n) return `-${durationText(-nanos)}`;
  if (nanos === 0n) return '0s';
  if (nanos < 1000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${decimal(nanos, 1000n)}µs`;
  if (nanos < SECOND) return `${decimal(nanos, 1_000_000n)}ms`;
  const hours = nanos / HOUR;
  const minutes = (nanos % HOUR) / MINUTE;
  const clock = hours > 0n ? `${hours}h${minutes}m` : minutes > 0n ? `${minutes}m` : '';
  return `${clock}${decimal(nanos % MINUTE, SECOND)}s`;
}

function decimal(nanos: bigint, unit: bigint): string {
  const fraction = String(unit + (nanos % unit))
    .slice(1)
    .replace(/0+$/, '');
  return fraction ? `${nanos / unit}.${fraction}` : String(nanos / unit);
}

/** Go's time.Time. */
export class Time extends GoValue {
  readonly kind = 'struct';
  readonly type = 'time.Time';
  readonly instant: Instant;
  #clock: Clock | undefined;

  constructor(instant: Instant) {
    super();
    this.instant = instant;
  }

  get clock(): Clock {
    this.#clock ??= clockOf(this.instant);
    return this.#clock;
  }

  /** Nanoseconds since 1970. */
  get unixNano(): bigint {
    return BigInt(this.instant.seconds) * SECOND + BigInt(this.instant.nanos);
  }

  override text(): string {
    return formatInstant(this.instant, STRING_LAYOUT);
  }

  rfc3339(): string {
    return formatInstant(this.instant, RFC3339_NANO);
  }

  override method(name: string): Method | undefined {
    return bind(TIME_METHODS, this, name);
  }
}

type TimeMethod = readonly [params: readonly string[], body: (self: Time, args: readonly Value[]) => Value];

const TIME_METHODS: MethodTable<Time> = new Map<string, TimeMethod>([
  ['Format', [['string'], (self, [layout]) => formatInstant(self.instant, layout as string)]],
  ['String', [[], self => self.text()]],
  ['Year', [[], self => BigInt(self.clock.year)]],
  ['Month', [[], self => new Int(MONTH, BigInt(self.clock.month))]],
  ['Day', [[], self => BigInt(self.clock.day)]],
  ['YearDay', [[], self => BigInt(self.clock.yearDay)]],
  ['Weekday', [[], self => new Int(WEEKDAY, BigInt(self.clock.weekday))]],
  ['Hour', [[], self => BigInt(self.clock.hour)]],
  ['Minute', [[], self => BigInt(self.clock.minute)]],
  ['Second', [[], self => BigInt(self.clock.second)]],
  ['Nanosecond', [[], self => BigInt(self.instant.nanos)]],
  ['Unix', [[], self => int64(BigInt(self.instant.seconds))]],
  ['UnixMilli', [[], self => int64(floorDivide(self.unixNano, 1_000_000n))]],
  ['UnixMicro', [[], self => int64(floorDivide(self.unixNano, 1000n))]],
  ['UnixNano', [[], self => int64(self.unixNano)]],
  ['UTC', [[], self => new Time({ ...self.instant, offset: 0, zone: 'UTC' })]],
  ['Local', [[], local]],
  ['IsZero', [[], self => self.instant.seconds === ZERO_TIME.seconds && self.instant.nanos === 0]],
  ['Add', [['time.Duration'], (self, [by]) => at(self, self.unixNano + (asInt(by) ?? 0n))]],
  ['AddDate', [['int', 'int', 'int'], addDate]],
  ['Sub', [['time.Time'], (self, [other]) => duration(self.unixNano - nanosOf(other))]],
  ['Before', [['time.Time'], (self, [other]) => self.unixNano < nanosOf(other)]],
  ['After', [['time.Time'], (self, [other]) => self.unixNano > nanosOf(other)]],
  ['Equal', [['time.Time'], (self, [other]) => self.unixNano === nanosOf(other)]],
  ['Compare', [['time.Time'], (self, [other]) => sign(self.unixNano - nanosOf(other))]],
  ['Truncate', [['time.Duration'], (self, [unit]) => at(self, self.unixNano - excess(self, unit))]],
]);

function nanosOf(value: Value): bigint {
  return (value as Time).unixNano;
}

function sign(value: bigint): bigint {
  return value > 0n ? 1n : value < 0n ? -1n : 0n;
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value < 0n && value % by !== 0n ? value / by - 1n : value / by;
}

/** How far a time is beyond a multiple of a duration, counted from Go's zero time. */
function excess(self: Time, unit: Value): bigint {
  const size = asInt(unit) ?? 0n;
  return size > 0n ? (self.unixNano - BigInt(ZERO_TIME.seconds) * SECOND) % size : 0n;
}

/** Another point in time in the same zone. */
function at(self: Time, unixNano: bigint): Time {
  const seconds = floorDivide(unixNano, SECOND);
  return moved(self, Number(seconds), Number(unixNano - seconds * SECOND));
}

function addDate(self: Time, [years, months, days]: readonly Value[]): Time {
  const { year, month, day, hour, minute, second } = self.clock;
  const add = (value: number, by: Value) => value + Number(asInt(by) ?? 0n);
  const seconds = utcSeconds(add(year, years), add(month, months), add(day, days), hour, minute, second);
  return moved(self, seconds - self.instant.offset, self.instant.nanos);
}

function moved(self: Time, seconds: number, nanos: number): Time {
  if (!(Math.abs(seconds) < MAX_SECONDS)) throw new Fault('a time beyond the calendar');
  return new Time({ ...self.instant, seconds, nanos });
}

/** In the zone of the process. Its abbreviation is known only for UTC. */
function local(self: Time): Time {
  const offset = -60 * new Date(self.instant.seconds * 1000).getTimezoneOffset() || 0;
  return new Time({ ...self.instant, offset, zone: offset === 0 ? 'UTC' : '' });
}
