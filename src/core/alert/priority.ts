/** Falco's eight priorities, least to most severe, as Falco writes them. */
export const PRIORITIES = [
  'Debug',
  'Informational',
  'Notice',
  'Warning',
  'Error',
  'Critical',
  'Alert',
  'Emergency',
] as const;

/** One of Falco's eight priorities, capitalised. */
export type Priority = (typeof PRIORITIES)[number];

const ALIASES: Record<string, Priority> = {
  info: 'Informational',
  warn: 'Warning',
  err: 'Error',
  crit: 'Critical',
  emerg: 'Emergency',
};

const BY_NAME = new Map<string, Priority>([
  ...PRIORITIES.map(name => [name, name] as const),
  ...PRIORITIES.map(name => [name.toLowerCase(), name] as const),
  ...Object.entries(ALIASES),
]);

/** Reads a priority's name in any case, with the usual short forms (`info`, `warn`, `err`, `crit`, `emerg`). */
export function parsePriority(text: string): Priority | undefined {
  return BY_NAME.get(text) ?? BY_NAME.get(text.toLowerCase());
}

const RANKS = new Map<Priority, number>(PRIORITIES.map((name, index) => [name, index + 1]));

/** 1 (Debug) to 8 (Emergency): the number falcosidekick writes into its `priority` metric label. */
export function priorityRank(priority: Priority): number {
  return RANKS.get(priority) ?? 0;
}
