/** Keeps a message within the size that its target takes. Pure. */
import type { Fact } from './fields.ts';
import { truncate } from './text.ts';

/** How a text is measured. */
export interface Measure {
  /** A text's size, at least 1 for each UTF-16 unit. */
  size(text: string): number;
  /** Most that a UTF-16 unit adds to it, and either end. */
  most: number;
}

const UNITS: Measure = { size: text => text.length, most: 1 };

/** Bytes in a JSON document; a control character takes six. */
export const JSON_BYTES: Measure = { size: jsonBytes, most: 6 };

/** How much a message may hold, as `measure` has it. */
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
  /** UTF-16 units when absent. */
  measure?: Measure;
}

/**
 * Shares a message's room out: what is always there first, then the text, which leaves the output fields what they
 * need up to a half, then the fields that still fit, in their order. A note in the place of the last one left out says
 * how many are missing.
 */
export function fitInto(
  text: string,
  list: readonly Fact[],
  room: Room,
): { text: string; facts: readonly Fact[] } {
  if (isRoomy(text, list, room)) return { text, facts: list };
  const { size } = room.measure ?? UNITS;
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

/** Whether nothing has to be cut, as far as that is plain with little to measure: so it is with nearly every alert. */
function isRoomy(text: string, list: readonly Fact[], room: Room): boolean {
  const { size, most } = room.measure ?? UNITS;
  const atMost = ({ length }: string) => most * (length + 2);
  const fits = (part: string, max: number) => atMost(part) <= max || size(part) <= max;
  if (list.length > room.items || atMost(text) > (room.text ?? room.total)) return false;
  let taken = atMost(text);
  for (const { title, value } of list) {
    if (!fits(title, room.title) || !fits(value, room.value)) return false;
    taken += atMost(title) + atMost(value) + room.perFact;
  }
  return taken <= room.total;
}

/** The size of a text as it stands in a JSON document, in bytes of UTF-8. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

function note(count: number): Fact {
  return { title: '…', value: `${count} more` };
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
