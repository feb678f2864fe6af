/** Names of objects in stores of files. Pure. */
import { createHash } from 'node:crypto';
import type { Alert } from '../../core/contract.ts';

/** Folders of batches in the form that Hive, Athena, BigQuery and Spark read as partitions. */
export const DEFAULT_LAYOUT = 'dt={date}/hour={hour}';

const PARTS = ['date', 'year', 'month', 'day', 'hour'] as const;

/**
 * falcosidekick's name for the object of an alert, `falco/2026-01-31/2026-01-31T12:00:00.123456789Z.json`, with the time
 * of sending in UTC.
 * @param now milliseconds since the epoch
 * @param digits set objects of one millisecond apart; always as many, so that names sort as the times do
 */
export function alertObjectName(prefix: string, now: number, digits: string): string {
  const time = new Date(now).toISOString();
  return join(prefix, time.slice(0, 10), `${time.slice(0, -1)}${digits}Z.json`);
}

/** Fifteen digits for the name above that no other alert has. */
export function uuidDigits(uuid: string): string {
  return BigInt(`0x${uuid.replaceAll('-', '').slice(-12)}`)
    .toString()
    .padStart(15, '0');
}

/** A share, 0 up to 1, that is an alert's own for most of them. */
export function shareOf(uuid: string): number {
  return (Number.parseInt(uuid.slice(-8), 16) || 0) / 0x1_0000_0000;
}

/** Six digits for the name above: the decimals after those of the millisecond, as falcosidekick has nine in all. */
export function toDigits(share: number): string {
  return String(Math.floor(share * 1_000_000)).padStart(6, '0');
}

/**
 * The name for a batch, `falco/dt=2026-01-31/hour=12/5f1c….ndjson.gz`, in folders by the time of sending in UTC. The
 * same alerts have the same name in the same folder: what is sent again because its answer was lost takes the place of
 * the first.
 * @param layout the folders, with {date}, {year}, {month}, {day} and {hour} in it
 */
export function batchObjectName(
  prefix: string,
  layout: string,
  alerts: readonly Alert[],
  now: number,
): string {
  return join(prefix, fillLayout(layout, now), `${batchId(alerts)}.ndjson.gz`);
}

/** A UUID (version 8, RFC 9562) that is a batch's own: the same for the same alerts in the same order. */
export function batchId(alerts: readonly Alert[]): string {
  const hash = createHash('sha256');
  for (const { uuid } of alerts) hash.update(uuid);
  const hex = hash.digest('hex');
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What is wrong with a layout; undefined when it can be used. */
export function layoutProblem(layout: string): string | undefined {
  const unknown = [...layout.matchAll(/\{([^}]*)\}/g)].find(([, name]) => !PARTS.includes(name as never));
  if (unknown) return `${unknown[0]} is none of ${PARTS.map(part => `{${part}}`).join(', ')}`;
  return /[\p{Cc}\\]/u.test(layout)
    ? 'expected folders without control characters and backslashes'
    : undefined;
}

function fillLayout(layout: string, now: number): string {
  const time = new Date(now).toISOString();
  const date = time.slice(0, 10);
  const [year = '', month = '', day = ''] = date.split('-');
  const values: Record<string, string> = { date, year, month, day, hour: time.slice(11, 13) };
  return layout.replace(/\{(\w+)\}/g, (found, part) => values[part] ?? found);
}

/** Joins folders and a name; slashes at the ends of each, and empty ones, do not count. */
function join(...parts: string[]): string {
  return parts
    .map(part => part.replace(/^\/+|\/+$/g, ''))
    .filter(Boolean)
    .join('/');
}
