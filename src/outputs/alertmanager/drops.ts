/** Falco's alerts about dropped events: counts as labels, and priorities that grow with them. Pure. */
import { type Priority, parsePriority, priorityRank } from '../../core/alert/priority.ts';

/** Counts above `above` raise an alert to `priority`. */
export interface DropThreshold {
  above: bigint;
  priority: Priority;
}

const ENTRY = /^(\d{1,19}):([A-Za-z]+)$/;

/**
 * Reads `10000:critical, 100:warning`, highest first. Colons for commas are understood too: falcosidekick's default
 * is written that way. Undefined when the text is no such list.
 */
export function parseDropThresholds(text: string): DropThreshold[] | undefined {
  const entries = text
    .replace(/\s/g, '')
    .replace(/(:[A-Za-z]+):(?=\d)/g, '$1,')
    .split(',')
    .filter(Boolean);
  const thresholds: DropThreshold[] = [];
  for (const entry of entries) {
    const [, above, name] = ENTRY.exec(entry) ?? [];
    const priority = parsePriority(name ?? '');
    if (above === undefined || priority === undefined) return undefined;
    thresholds.push({ above: BigInt(above), priority });
  }
  return thresholds.sort((a, b) => (a.above < b.above ? 1 : a.above > b.above ? -1 : 0));
}

/**
 * What a count of dropped events shows as, and the priority that it calls for. Ranges instead of counts, because a
 * label that changes with each alert makes each alert another one.
 */
export function gradeDrops(
  count: bigint,
  thresholds: readonly DropThreshold[],
  otherwise: Priority,
): { label: string; priority: Priority } {
  if (count === 0n) return { label: '0', priority: 'Warning' };
  const passed = thresholds.find(({ above }) => count > above);
  return passed
    ? { label: `>${passed.above}`, priority: passed.priority }
    : { label: String(count), priority: otherwise };
}

/** The more severe one. */
export function worse(a: Priority, b: Priority): Priority {
  return priorityRank(a) >= priorityRank(b) ? a : b;
}
