/**
 * The alert as everything behind the ingest sees it: normalised, frozen, encoded once. Its canonical JSON is what
 * the spool keeps and what outputs that send the alert as it is share.
 */
import { randomUUID } from 'node:crypto';
import { type DraftFields, FieldText } from './fields.ts';
import {
  deepFreeze,
  escapeLineSeparators,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  LINE_SEPARATOR,
  parseExact,
} from './json.ts';
import { PRIORITIES, type Priority } from './priority.ts';
import { memberSpans } from './scan.ts';

export { DraftFields } from './fields.ts';

/** The rule name of the test alert: it passes every minimum priority, as in falcosidekick. */
export const TEST_RULE = 'Test rule';

/** One security alert. Frozen; safe to share between outputs. */
export interface Alert {
  /** Lower-case UUID; stable over retries and restarts, so it serves as an idempotency key. */
  readonly uuid: string;
  /** Falco's rendered text. */
  readonly output: string;
  readonly priority: Priority;
  readonly rule: string;
  /** RFC 3339 with the sender's offset and its significant decimals (up to nine). */
  readonly time: string;
  readonly source: string;
  /** Sorted by their UTF-8 bytes. */
  readonly tags: readonly string[];
  /** Empty when the sender gave none. */
  readonly hostname: string;
  /** Falco's output fields with exact numbers (see json.ts), deep-frozen. */
  readonly outputFields: JsonObject;
  /** Top-level keys that Tiercel does not know, kept as they came. */
  readonly extra: JsonObject;
  /** The alert as canonical JSON text; with `templated`, what the user's `template.body` made of it. */
  readonly json: string;
  /** The same in UTF-8, encoded once, when it is first asked for. Never written to. */
  readonly bytes: Buffer;
  /** The length of `bytes`, which need not be made for it. */
  readonly byteLength: number;
  /** The JSON is the user's own, and goes out as it is. */
  readonly templated?: true;
}

/** An alert on its way in: read and checked, not yet sealed. Enrichment edits it in place. */
export interface AlertDraft {
  uuid: string;
  output: string;
  priority: Priority;
  rule: string;
  time: string;
  source: string;
  tags: string[];
  hostname: string;
  fields: DraftFields;
  /** Unknown members as JSON text with a leading comma each, `,"k":1`; empty when there are none. */
  extraText: string;
}

/** What identifies the parts of a sealed alert besides its text. */
type Head = Pick<
  Alert,
  'uuid' | 'output' | 'priority' | 'rule' | 'time' | 'source' | 'tags' | 'hostname' | 'templated'
>;

class SealedAlert implements Alert {
  readonly uuid: string;
  readonly output: string;
  readonly priority: Priority;
  readonly rule: string;
  readonly time: string;
  readonly source: string;
  readonly tags: readonly string[];
  readonly hostname: string;
  readonly json: string;
  readonly byteLength: number;
  declare readonly templated?: true;
  readonly #fields: FieldText;
  #extraText: string;
  #extra: JsonObject | undefined;
  #bytes: Buffer | undefined;

  constructor(head: Head, json: string, fields: FieldText, extraText: string, bytes?: Buffer) {
    this.uuid = head.uuid;
    this.output = head.output;
    this.priority = head.priority;
    this.rule = head.rule;
    this.time = head.time;
    this.source = head.source;
    this.tags = Object.freeze(head.tags);
    this.hostname = head.hostname;
    this.json = json;
    this.byteLength = bytes?.length ?? Buffer.byteLength(json);
    this.#fields = fields;
    this.#extraText = extraText;
    this.#bytes = bytes;
    if (head.templated) this.templated = true;
    Object.freeze(this);
  }

  get outputFields(): JsonObject {
    return this.#fields.all();
  }

  get extra(): JsonObject {
    this.#extra ??= deepFreeze(parseExact(`{${this.#extraText.slice(1)}}`) as JsonObject);
    return this.#extra;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.json);
    return this.#bytes;
  }

  static field(alert: SealedAlert, name: string): JsonValue | undefined {
    return alert.#fields.get(name);
  }

  static encode(alert: SealedAlert, target: Buffer, at: number): void {
    if (alert.#bytes) alert.#bytes.copy(target, at);
    else target.write(alert.json, at);
  }

  static templated(alert: SealedAlert, json: string): Alert {
    return new SealedAlert({ ...alert, templated: true }, json, alert.#fields, alert.#extraText);
  }
}

/** One output field: cheaper than `alert.outputFields[name]`, which reads them all with exact numbers. */
export function outputField(alert: Alert, name: string): JsonValue | undefined {
  if (alert instanceof SealedAlert) return SealedAlert.field(alert, name);
  return Object.hasOwn(alert.outputFields, name) ? alert.outputFields[name] : undefined;
}

/** Writes what `alert.bytes` holds to a place that has room for it: where nobody else wants them, they are never made. */
export function encodeInto(alert: Alert, target: Buffer, at: number): void {
  if (alert instanceof SealedAlert) SealedAlert.encode(alert, target, at);
  else alert.bytes.copy(target, at);
}

/** Closes a draft: from here on the alert does not change. */
export function sealAlert(draft: AlertDraft): Alert {
  const text = JSON.stringify;
  const fields = draft.fields.seal();
  const before =
    `{"uuid":"${draft.uuid}","output":${text(draft.output)},"priority":"${draft.priority}","rule":${text(draft.rule)}` +
    `,"time":"${draft.time}","output_fields":`;
  const after =
    `,"source":${text(draft.source)}` +
    (draft.tags.length > 0 ? `,"tags":${text(draft.tags)}` : '') +
    (draft.hostname === '' ? '' : `,"hostname":${text(draft.hostname)}`);
  const alert = assemble(draft, fields, [before, fields.text, after, draft.extraText]);
  // ASCII has none.
  if (alert.byteLength === alert.json.length || !LINE_SEPARATOR.test(alert.json)) return alert;
  return assemble(draft, fields, [
    escapeLineSeparators(before),
    escapeLineSeparators(fields.text),
    escapeLineSeparators(after),
    escapeLineSeparators(draft.extraText),
  ]);
}

type Parts = readonly [before: string, fields: string, after: string, extra: string];

function assemble(draft: AlertDraft, fields: FieldText, [before, fieldsText, after, extra]: Parts): Alert {
  const json = `${before}${fieldsText}${after}${extra}}`;
  // Pieces of the alert's own text rather than of the request body, which is then let go.
  const fieldsEnd = before.length + fieldsText.length;
  const ownFields = fields.standingIn(json.slice(before.length, fieldsEnd));
  return new SealedAlert(draft, json, ownFields, extra && json.slice(fieldsEnd + after.length, -1));
}

/** The top-level members that Tiercel knows. */
export const ALERT_KEYS: ReadonlySet<string> = new Set([
  'uuid',
  'output',
  'priority',
  'rule',
  'time',
  'output_fields',
  'source',
  'tags',
  'hostname',
]);

/**
 * Reads an alert back from its canonical JSON.
 * @throws SyntaxError when the bytes are not canonical alert JSON (a torn or foreign record)
 */
export function decodeAlert(bytes: Buffer): Alert {
  const json = bytes.toString();
  const value: unknown = JSON.parse(json);
  if (
    !isJsonObject(value) ||
    typeof value.uuid !== 'string' ||
    typeof value.rule !== 'string' ||
    !isPriority(value.priority) ||
    !isJsonObject(value.output_fields)
  ) {
    throw new SyntaxError('not an alert record');
  }
  let fieldsText = '{}';
  let extraText = '';
  for (const member of memberSpans(json)) {
    if (member.key === 'output_fields') fieldsText = json.slice(member.start, member.end);
    else if (!ALERT_KEYS.has(member.key)) {
      extraText += `,${JSON.stringify(member.key)}:${json.slice(member.start, member.end)}`;
    }
  }
  const head: Head = {
    uuid: value.uuid,
    output: String(value.output ?? ''),
    priority: value.priority,
    rule: value.rule,
    time: String(value.time ?? ''),
    source: String(value.source ?? ''),
    tags: Array.isArray(value.tags) ? value.tags.map(String) : [],
    hostname: String(value.hostname ?? ''),
  };
  return new SealedAlert(head, json, new FieldText(fieldsText, value.output_fields), extraText, bytes);
}

/** The same alert with another text and rule name, in its JSON too. */
export function withTexts(alert: Alert, texts: Pick<Alert, 'output' | 'rule'>): Alert {
  let json = '';
  let kept = 0;
  for (const { key, start, end } of memberSpans(alert.json)) {
    if (key !== 'output' && key !== 'rule') continue;
    json += alert.json.slice(kept, start) + escapeLineSeparators(JSON.stringify(texts[key]));
    kept = end;
  }
  return decodeAlert(Buffer.from(json + alert.json.slice(kept)));
}

/** The same alert with the user's own text in place of its JSON. */
export function withTemplated(alert: Alert, json: string): Alert {
  if (alert instanceof SealedAlert) return SealedAlert.templated(alert, json);
  const bytes = Buffer.from(json);
  return { ...alert, json, bytes, byteLength: bytes.length, templated: true };
}

function isPriority(value: unknown): value is Priority {
  return PRIORITIES.includes(value as Priority);
}

const UUID_LENGTH = 36;
const UUIDS_AT_ONCE = 64;
/** Ids to come, one behind the other. Made one by one, each costs a microsecond on a processor that sleeps in between. */
let uuids = '';
let nextUuid = 0;

/** A new alert id. */
export function newUuid(): string {
  if (nextUuid === uuids.length) {
    uuids = Array.from({ length: UUIDS_AT_ONCE }, () => randomUUID()).join('');
    nextUuid = 0;
  }
  nextUuid += UUID_LENGTH;
  return uuids.slice(nextUuid - UUID_LENGTH, nextUuid);
}
