/** Keeps a message within the size that its target takes. Pure. */
import type { Fact } from './fields.ts';
import { truncate } from './text.ts';

/** How much a message may hold, in the units of `size`. */
export interface Room {
  total: number;
  /** Most of it for the text, whatever is left. */
  text?: number;
  /** Most of it for the title and for the value of each fact. */
  title: number;
  value: number;
  /** Most facts. */
  items: number;
  /** What each fact takes besides its title and value. */
  perFact: number;
  /** A text's size, at least 1 for each UTF-16 unit; the number of these when absent. */
  size?(text: string): number;
}

/**
 * Shares a message's room out: what is always there first, then the text, which leaves the output fields what they
 * need up to a half, then the fields that still fit, in their order. A note in the place of the last one left out says
 * how many are missing.
 */
export function fitInto(text: string, list: readonly Fact[], room: Room): { text: string; facts: Fact[] } {
  const { size = units } = room;
  const costOf = ({ title, value }: Fact) => size(title) + size(value) + room.perFact;
  const facts = list.map(fact => ({
    ...fact,
    title: cutTo(fact.title, room.title, size),
    value: cutTo(fact.value, room.value, size),
  }));
  const fixed = facts.filter(({ isField }) => !isField);
  const fields = facts.filter(({ isField }) => isField);
  let left = room.total - sum(fixed.map(costOf));
  const wanted = sum(fields.map(costOf));
  const forText = Math.max(Math.floor(left / 2), left - wanted);
  const shown = cutTo(text, Math.min(room.text ?? forText, forText), size);
  left -= size(shown);
  let slots = room.items - fixed.length;
  if (fields.length <= slots && wanted <= left) return { text: shown, facts };

  left -= costOf(note(fields.length));
  slots--;
  const missing = new Set<Fact>();
  for (const fact of fields) {
    const cost = costOf(fact);
    if (slots > 0 && cost <= left) {
      left -= cost;
      slots--;
    } else missing.add(fact);
  }
  const last = [...missing].at(-1);
  return {
    text: shown,
    facts: facts.flatMap(fact => {
      if (!missing.has(fact)) return [fact];
      return fact === last ? [note(missing.size)] : [];
    }),
  };
}

/** The size of a text as it stands in a JSON document, in bytes of UTF-8. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

function note(count: number): Fact {
  return { title: '…', value: `${count} more` };
}

function units(text: string): number {
  return text.length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function cutTo(text: string, max: number, size: (text: string) => number): string {
  let shown = truncate(text, max);
  for (let now = size(shown); now > max; now = size(shown)) {
    if (shown.length <= 1) return '';
    shown = truncate(text, Math.floor((shown.length * max) / now));
  }
  return shown;
}
