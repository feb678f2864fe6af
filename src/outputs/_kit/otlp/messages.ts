/**
 * The messages of OTLP 1.5 as far as they are sent here, with the numbers of their fields:
 * https://github.com/open-telemetry/opentelemetry-proto, `opentelemetry/proto/{common,resource,trace,logs,metrics}/v1`.
 */
import type { Field, Message, MessageType, Value } from '../protobuf.ts';

const one = (number: number, type: Field['type']): Field => ({ number, type });
const many = (number: number, type: Field['type']): Field => ({ number, type, many: true });

const anyValue: MessageType = {
  stringValue: one(1, 'string'),
  boolValue: one(2, 'bool'),
  get arrayValue() {
    return one(5, { values: many(1, anyValue) });
  },
};
const attributes = (number: number) => many(number, { key: one(1, 'string'), value: one(2, anyValue) });

const resource = one(1, { attributes: attributes(1) });
const scope = one(1, { name: one(1, 'string') });

/** The body of an export: one resource, one scope, and what `items` describes. */
const request = (names: readonly [string, string, string], items: MessageType): MessageType => ({
  [names[0]]: many(1, { resource, [names[1]]: many(2, { scope, [names[2]]: many(2, items) }) }),
});

const span: MessageType = {
  traceId: one(1, 'bytes'),
  spanId: one(2, 'bytes'),
  flags: one(16, 'fixed32'),
  name: one(5, 'string'),
  kind: one(6, 'uint'),
  startTimeUnixNano: one(7, 'fixed64'),
  endTimeUnixNano: one(8, 'fixed64'),
  attributes: attributes(9),
  events: many(11, { timeUnixNano: one(1, 'fixed64'), name: one(2, 'string') }),
};

const logRecord: MessageType = {
  timeUnixNano: one(1, 'fixed64'),
  observedTimeUnixNano: one(11, 'fixed64'),
  severityNumber: one(2, 'uint'),
  severityText: one(3, 'string'),
  body: one(5, anyValue),
  attributes: attributes(6),
};

const metric: MessageType = {
  name: one(1, 'string'),
  sum: one(7, {
    dataPoints: many(1, {
      attributes: attributes(7),
      startTimeUnixNano: one(2, 'fixed64'),
      timeUnixNano: one(3, 'fixed64'),
      asInt: one(6, 'fixed64'),
    }),
    aggregationTemporality: one(2, 'uint'),
    isMonotonic: one(3, 'bool'),
  }),
};

/** One of the three kinds of OTLP data. */
export interface Signal {
  /** As in its configuration section and in the default path of its endpoint. */
  name: 'traces' | 'logs' | 'metrics';
  request: MessageType;
  /** Puts items into the body of an export. */
  toRequest(resource: readonly Message[], scopeName: string, items: readonly Message[]): Message;
  /** Path of its method in gRPC. */
  method: string;
}

function signal(
  name: Signal['name'],
  service: string,
  names: readonly [string, string, string],
  items: MessageType,
): Signal {
  return {
    name,
    request: request(names, items),
    toRequest: (resourceAttributes, scopeName, list) => ({
      [names[0]]: [
        {
          resource: { attributes: resourceAttributes },
          [names[1]]: [{ scope: { name: scopeName }, [names[2]]: list }],
        },
      ],
    }),
    method: `/opentelemetry.proto.collector.${name === 'traces' ? 'trace' : name}.v1.${service}/Export`,
  };
}

export const TRACES = signal('traces', 'TraceService', ['resourceSpans', 'scopeSpans', 'spans'], span);
export const LOGS = signal('logs', 'LogsService', ['resourceLogs', 'scopeLogs', 'logRecords'], logRecord);
export const METRICS = signal(
  'metrics',
  'MetricsService',
  ['resourceMetrics', 'scopeMetrics', 'metrics'],
  metric,
);

/** The answer to an export of any kind: how many items were refused, and why. */
export const EXPORT_RESPONSE: MessageType = {
  partialSuccess: one(1, { rejected: one(1, 'uint'), errorMessage: one(2, 'string') }),
};

/**
 * Attributes as OTLP has them: texts, and lists of texts. Names are unique and not empty, or receivers may do with them
 * what they like (opentelemetry.io/docs/specs/otel/common/#attribute): of several values the last counts.
 */
export function toAttributes(values: Iterable<readonly [string, string | readonly string[]]>): Message[] {
  const last = new Map(values);
  last.delete('');
  return Array.from(last, ([key, value]) => ({ key, value: toAnyValue(value) }));
}

/** A text or a list of texts as a value of OTLP. */
export function toAnyValue(value: string | readonly string[]): Message {
  const text = (stringValue: string): Value => ({ stringValue });
  return typeof value === 'string' ? { stringValue: value } : { arrayValue: { values: value.map(text) } };
}
