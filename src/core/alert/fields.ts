/** Output fields as the sender's text: read only as far as somebody asks, changed without re-encoding what stays. */
import { deepFreeze, isPlainJson, type JsonObject, type JsonValue, parseExact } from './json.ts';
import { memberSpans } from './scan.ts';

/** A JSON object as text, read lazily and with exact numbers. */
export class FieldText {
  /** A valid JSON object. */
  readonly text: string;
  // What plain JSON.parse gives: all but the numbers can be relied on.
  #loose: JsonObject | undefined;
  #exact: JsonObject | undefined;

  /** @param parsed the same text read by JSON.parse, when the caller has it */
  constructor(text: string, parsed?: JsonObject) {
    this.text = text;
    this.#loose = parsed;
  }

  /** One field with exact numbers, deep-frozen; undefined when there is none of that name. */
  get(name: string): JsonValue | undefined {
    const members = this.#exact ?? this.#read();
    if (!Object.hasOwn(members, name)) return undefined;
    const value = members[name];
    const reliable = typeof value === 'string' || typeof value === 'boolean' || value === null;
    return reliable ? value : this.all()[name];
  }

  names(): string[] {
    return Object.keys(this.#exact ?? this.#read());
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#exact ?? this.#read(), name);
  }

  /** All fields with exact numbers, deep-frozen. */
  all(): JsonObject {
    if (!this.#exact) {
      this.#exact = deepFreeze(exactMembers(this.text, this.#read()));
      this.#loose = undefined;
    }
    return this.#exact;
  }

  /** The same fields with their text taken from elsewhere, so that a longer text can be let go. */
  standingIn(text: string): FieldText {
    const moved = new FieldText(text, this.#loose);
    moved.#exact = this.#exact;
    return moved;
  }

  #read(): JsonObject {
    this.#loose ??= JSON.parse(this.text) as JsonObject;
    return this.#loose;
  }
}

/**
 * Puts the digits back that JSON.parse lost, member by member: three times as fast as a reviver, which is called for
 * every value.
 */
function exactMembers(text: string, members: JsonObject): JsonObject {
  if (isPlainJson(text)) return members;
  const spans = memberSpans(text);
  const names = Object.keys(members);
  // With a name given twice, spans and members do not stand for each other.
  if (spans.length !== names.length) return parseExact(text) as JsonObject;
  const exact = members as Record<string, JsonValue>;
  for (let index = 0; index < spans.length; index++) {
    const { key, start, end } = spans[index]!;
    // A member is found at once by its own name, by an equal text only after a search for that name.
    const name = names[index] === key ? names[index]! : key;
    const value = members[name];
    if (typeof value !== 'number' && typeof value !== 'object') continue;
    const source = text.slice(start, end);
    if (!isPlainJson(source)) exact[name] = parseExact(source);
  }
  return exact;
}

/** The output fields of a draft. Edits are laid over the sender's text and written into it once, at the end. */
export class DraftFields {
  #base: FieldText;
  #edits: Map<string, JsonValue> | undefined;

  /**
   * @param text the fields as a valid JSON object
   * @param parsed the same text read by JSON.parse, when the caller has it
   */
  constructor(text: string, parsed?: JsonObject) {
    this.#base = new FieldText(text, parsed);
  }

  /** One field with exact numbers; undefined when there is none of that name. */
  get(name: string): JsonValue | undefined {
    return this.#edits?.has(name) ? this.#edits.get(name) : this.#base.get(name);
  }

  names(): string[] {
    return this.seal().names();
  }

  entries(): Iterable<[string, JsonValue]> {
    return Object.entries(this.seal().all());
  }

  /** Adds or overwrites fields. */
  assign(fields: Iterable<readonly [string, JsonValue]>): void {
    this.#edits ??= new Map();
    for (const [name, value] of fields) this.#edits.set(name, value);
  }

  /** Gives fields other names, values untouched. A field whose new name is taken keeps its old one. */
  rename(newNames: ReadonlyMap<string, string>): void {
    const { text } = this.seal();
    const spans = memberSpans(text);
    const taken = new Set(spans.map(span => span.key));
    const members = spans.map(({ key, start, end }) => {
      const wanted = newNames.get(key);
      const name = wanted === undefined || taken.has(wanted) ? key : wanted;
      taken.add(name);
      return `${JSON.stringify(name)}:${text.slice(start, end)}`;
    });
    this.#base = new FieldText(`{${members.join(',')}}`);
  }

  /** The fields as they stand now. */
  seal(): FieldText {
    if (this.#edits) {
      this.#base = new FieldText(merge(this.#base, this.#edits));
      this.#edits = undefined;
    }
    return this.#base;
  }
}

function merge(base: FieldText, edits: ReadonlyMap<string, JsonValue>): string {
  const added: string[] = [];
  let overwrites = false;
  for (const [name, value] of edits) {
    added.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
    overwrites ||= base.has(name);
  }
  if (!overwrites) {
    const kept = base.text.slice(0, base.text.lastIndexOf('}'));
    return `${kept}${/^\{\s*$/.test(kept) ? '' : ','}${added.join(',')}}`;
  }
  const kept = memberSpans(base.text)
    .filter(span => !edits.has(span.key))
    .map(span => `${JSON.stringify(span.key)}:${base.text.slice(span.start, span.end)}`);
  return `{${[...kept, ...added].join(',')}}`;
}
