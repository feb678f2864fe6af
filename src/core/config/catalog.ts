/** What the schemas say of every key, as plain values: for the documentation, the example, the JSON Schema, the CLI. */
import type { z } from 'zod';
import { type KeyMeta, keyMeta } from '../keys.ts';
import { formatDuration, formatSize } from '../units.ts';
import { variableName } from './environment.ts';

/** One key, or a group of keys. */
export interface DescribedKey {
  key: string;
  /** `delivery.retry.maxage` */
  path: string;
  /** Environment variable; for a group the beginning of those of its keys. */
  env: string;
  meta: KeyMeta;
  /** As the file would have it; undefined where there is none. */
  fallback: unknown;
  /** The keys of a group. */
  keys?: DescribedKey[];
}

/** Describes the keys of a shape, groups with their keys inside. */
export function describeKeys(shape: z.ZodRawShape, parents: readonly string[] = []): DescribedKey[] {
  return Object.entries(shape).flatMap(([key, schema]) => {
    const meta = keyMeta(schema as z.ZodType);
    if (!meta) return [];
    const path = [...parents, key];
    const described = { key, path: path.join('.'), env: variableName(...path), meta };
    if (meta.shape) return [{ ...described, fallback: undefined, keys: describeKeys(meta.shape, path) }];
    return [{ ...described, fallback: written(meta, (schema as z.ZodType).safeParse(undefined).data) }];
  });
}

/** All keys that have a value of their own, in order. */
export function flatKeys(keys: readonly DescribedKey[]): DescribedKey[] {
  return keys.flatMap(key => (key.keys ? flatKeys(key.keys) : [key]));
}

function written(meta: KeyMeta, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (meta.form === 'duration') return formatDuration(value as number);
  if (meta.form === 'size') return formatSize(value as number);
  return value;
}
