import type { Alert } from '../../core/contract.ts';
import { type Tag, toTags } from '../_kit/tags.ts';
import { truncate } from '../_kit/text.ts';
import { toNanos } from '../_kit/times.ts';

/** Points with a longer tag, name and value together, are refused: docs.wavefront.com/wavefront_data_format.html. */
const MAX_TAG = 254;
/** Of these for the name, so that there is room for the value. */
const MAX_NAME = 64;
/** Tags of one series: docs.wavefront.com/query_language_point_tags.html. */
const MAX_TAGS = 20;

/** Each byte that names of metrics and tags do not have becomes `-`, as the SDK for Go does it. */
const toName = (name: string) =>
  Buffer.from(name)
    .toString('latin1')
    .replace(/[^A-Za-z0-9,./_-]/g, '-')
    .slice(0, MAX_NAME) || 'field';

/** Quotes are escaped, a line break is written as backslash and n; a backslash at the end would escape the quote. */
const toValue = (value: string) =>
  `"${value
    .replace(/"/g, '\\"')
    .replace(/\r?\n|\r/g, '\\n')
    .replace(/\\$/, '\\ ')}"`;

/** The alert as a point: metric, value, time in nanoseconds, source, tags. */
export function toPoint(alert: Alert, metric: string): string {
  const parts: Tag[] = [
    ['severity', alert.priority],
    ['rule', alert.rule],
    ['source', alert.source],
    ['hostname', alert.hostname],
    ['tags', alert.tags.join(', ')],
  ];
  const tags = toTags(alert, parts, toName)
    .map(([name, value]): Tag => [name, value.trim()])
    // A tag without a value is refused.
    .filter(([, value]) => value !== '')
    .slice(0, MAX_TAGS)
    .map(([name, value]) => ` "${name}"=${toValue(truncate(value, MAX_TAG - name.length))}`);
  return `"${toName(metric)}" 1 ${toNanos(alert)} source="falco-exporter"${tags.join('')}\n`;
}
