/** Falco's JSON → alert drafts. Takes what can be taken; says in a sentence why something cannot. */
import { ALERT_KEYS, type AlertDraft, DraftFields, newUuid } from './alert.ts';
import { isJsonObject, type JsonObject, withoutLoneSurrogates } from './json.ts';
import { parsePriority } from './priority.ts';
import { CANONICAL_UTC } from './rfc3339.ts';
import { elementSpans, hasBrackets, innerObjectSpan, memberSpans, nestingDepth, valueSpans } from './scan.ts';

/** Why an alert was refused: the label of the rejection metric. */
export const REFUSAL_REASONS = [
  'empty',
  'not_json',
  'not_an_alert',
  'too_deep',
  'too_many',
  'missing_field',
  'bad_field',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** An alert that was not taken, with a sentence for whoever sent it. */
export interface Refusal {
  reason: RefusalReason;
  message: string;
}

/** Either a draft or the reason why there is none. */
export type ParsedAlert =
  | { draft: AlertDraft; refusal?: undefined }
  | { draft?: undefined; refusal: Refusal };

/** Levels of nesting taken; more would overflow the stack of recursive consumers. */
export const MAX_DEPTH = 500;

/** Characters from which on a body is looked at before it is parsed. */
const LARGE = 64 * 1024;

/** Alerts taken in one body: each costs time in which nobody else is served. */
export const MAX_ALERTS = 10_000;

const NOT_JSON_HINT = 'set json_output: true in falco.yaml if Falco sends plain text';

/**
 * Reads a body: one alert, a list of alerts, or several alerts one behind the other (NDJSON). Never throws, and never
 * leaves a part out in silence: what is no alert comes out as a refusal at its place.
 */
export function parseAlerts(body: string): ParsedAlert[] {
  const text = withoutMark(body);
  const first = text.trimStart()[0];
  if (first === undefined) return [refuse('empty', 'the body is empty; expected an alert as JSON')];
  // Lines that were cut off add up.
  if (isTooDeep(text, 1)) return BEGINS_LINE.test(text) ? parseLines(text, []) : [tooDeep()];
  if (first === '[') return parseList(text);
  const single = tryParse(text);
  if (single.ok) return [parseValue(text, single.value)];
  const notJson = refuse('not_json', `the body is not JSON: ${single.message}; ${NOT_JSON_HINT}`);
  // Plain text of many lines is one refused body, not one refused alert a line.
  if (first !== '{') return [notJson];
  const spans = valueSpans(text, MAX_ALERTS + 1);
  if (spans.length > MAX_ALERTS) return [tooMany()];
  const alerts: ParsedAlert[] = [];
  for (const { start, end } of spans) {
    const piece = text.slice(start, end);
    const alert = parseAlert(piece);
    // A line that was cut off must not take those behind it along.
    if (alert.refusal?.reason === 'not_json' && BEGINS_LINE.test(piece)) {
      return parseLines(text.slice(start), alerts);
    }
    alerts.push(alert);
  }
  return alerts.length === 1 ? [notJson] : alerts;
}

/** A value begins where a line does: in what is no JSON that is another alert. */
const BEGINS_LINE = /\n[{[]/;

/** An alert in each line, behind those that were read already. */
function parseLines(text: string, alerts: readonly ParsedAlert[]): ParsedAlert[] {
  const lines = text.split('\n').filter(line => line.trim() !== '');
  if (alerts.length + lines.length > MAX_ALERTS) return [tooMany()];
  return [...alerts, ...lines.map(parseAlert)];
}

/** Without the byte order mark, which is not JSON, but some senders put one. */
export function withoutMark(body: string): string {
  return body.charCodeAt(0) === 0xfeff ? body.slice(1) : body;
}

/**
 * Whether a large text is nested deeper than an alert may be. JSON.parse takes a second for megabytes of brackets;
 * finding out how deep they stand takes a few milliseconds.
 * @param around levels that may stand around the alert
 */
export function isTooDeep(text: string, around = 0): boolean {
  const most = MAX_DEPTH + around;
  return text.length > LARGE && nestingDepth(text, most + 1) > most;
}

/** Reads the text of one alert. Never throws. */
export function parseAlert(text: string): ParsedAlert {
  if (isTooDeep(text)) return tooDeep();
  const parsed = tryParse(text);
  return parsed.ok
    ? parseValue(text, parsed.value)
    : refuse('not_json', `not JSON: ${parsed.message}; ${NOT_JSON_HINT}`);
}

function parseList(text: string): ParsedAlert[] {
  const parsed = tryParse(text);
  if (!parsed.ok) return [refuse('not_json', `the body is not JSON: ${parsed.message}`)];
  const values = parsed.value as unknown[];
  if (values.length === 0) return [refuse('empty', 'the list of alerts is empty')];
  if (values.length > MAX_ALERTS) return [tooMany()];
  return elementSpans(text).map((span, index) => parseValue(text.slice(span.start, span.end), values[index]));
}

function tryParse(text: string): { ok: true; value: unknown } | { ok: false; message: string } {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, message: syntaxProblem((error as Error).message) };
  }
}

/** V8 quotes the text in its messages; the position is enough and cannot leak. */
function syntaxProblem(message: string): string {
  if (/^Un(expected end|terminated)/.test(message)) return 'it ends too early';
  const place = /at position (\d+)/.exec(message);
  return place ? `unexpected character at position ${place[1]}` : 'unexpected character';
}

/** The members that Tiercel knows, as they came. */
interface Known {
  uuid?: unknown;
  output?: unknown;
  priority?: unknown;
  rule?: unknown;
  time?: unknown;
  output_fields?: unknown;
  source?: unknown;
  tags?: unknown;
  hostname?: unknown;
}

function parseValue(source: string, value: unknown): ParsedAlert {
  if (!isJsonObject(value)) return refuse('not_an_alert', `expected a JSON object, found ${kindOf(value)}`);
  const wellFormed = withoutLoneSurrogates(source);
  if (wellFormed !== source) return parseValue(wellFormed, JSON.parse(wellFormed));
  const text = toSingleLine(source);
  // The sender of a deep text is hostile or broken; a text with few brackets cannot be deep.
  if (hasBrackets(text, MAX_DEPTH) && nestingDepth(text, MAX_DEPTH + 1) > MAX_DEPTH) return tooDeep();
  // Falco's own alerts hold nothing else.
  if (Object.keys(value).every(isAlertKey)) {
    return toDraft(value, fieldsTextOf(text, value), '', value);
  }
  const known: Known = {};
  let fieldsText = '{}';
  let extraText = '';
  for (const member of memberSpans(text)) {
    const name = ALERT_KEYS.has(member.key) ? member.key : member.key.toLowerCase();
    if (ALERT_KEYS.has(name)) {
      known[name as keyof Known] = value[member.key];
      if (name === 'output_fields') fieldsText = text.slice(member.start, member.end);
    } else {
      extraText += `,${JSON.stringify(member.key)}:${text.slice(member.start, member.end)}`;
    }
  }
  return toDraft(known, fieldsText, extraText, value);
}

/** The text of the output fields of an alert without unknown members. */
function fieldsTextOf(text: string, known: Known): string {
  if (!isJsonObject(known.output_fields)) return '{}';
  const span = innerObjectSpan(text) ?? memberSpans(text).findLast(member => member.key === 'output_fields')!;
  return text.slice(span.start, span.end);
}

function isAlertKey(name: string): boolean {
  return ALERT_KEYS.has(name);
}

/** An alert is one line, for all that read line by line behind us. A line end in JSON only stands between values. */
function toSingleLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replace(/[\n\r]\s*/g, '') : text;
}

function toDraft(known: Known, fieldsText: string, extraText: string, value: JsonObject): ParsedAlert {
  const rule = known.rule;
  if (rule === undefined || rule === null || rule === '')
    return refuse('missing_field', 'the alert has no rule');
  if (typeof rule !== 'string') return refuse('bad_field', `rule: expected text, found ${kindOf(rule)}`);

  const rawPriority = known.priority;
  if (rawPriority === undefined || rawPriority === null || rawPriority === '') {
    return refuse('missing_field', 'the alert has no priority');
  }
  const priority = typeof rawPriority === 'string' ? parsePriority(rawPriority.trim()) : undefined;
  if (!priority) return refuse('bad_field', `priority: expected one of Falco's eight priorities`);

  const rawTime = known.time;
  if (rawTime === undefined || rawTime === null || rawTime === '') {
    return refuse('missing_field', 'the alert has no time');
  }
  const time = typeof rawTime === 'string' ? normaliseTime(rawTime) : undefined;
  if (time === undefined)
    return refuse('bad_field', 'time: expected RFC 3339 such as 2026-01-31T12:00:00.5Z');

  const fields = known.output_fields ?? {};
  if (!isJsonObject(fields))
    return refuse('bad_field', `output_fields: expected an object, found ${kindOf(fields)}`);

  const { output = null, source = null, hostname = null, uuid = null } = known;
  if (!isText(output)) return noText('output', output);
  if (!isText(source)) return noText('source', source);
  if (!isText(hostname)) return noText('hostname', hostname);
  if (!isText(uuid)) return noText('uuid', uuid);
  const tags = known.tags ?? [];
  if (!Array.isArray(tags) || !tags.every(tag => typeof tag === 'string' || tag === null)) {
    return refuse('bad_field', 'tags: expected a list of texts');
  }

  return {
    draft: {
      uuid: uuid && UUID.test(uuid) ? uuid.toLowerCase() : newUuid(),
      // Falco without `output` may still carry the text without its prefix as `message` (Falco 0.39 and later).
      output: output || (typeof value.message === 'string' ? value.message : ''),
      priority,
      rule,
      time,
      source: source ?? '',
      tags: tags.map(tag => tag ?? ''),
      hostname: hostname ?? '',
      fields: new DraftFields(known.output_fields ? fieldsText : '{}', fields),
      extraText,
    },
  };
}

/** Falco may leave a text out, or send null for it. */
function isText(found: unknown): found is string | null {
  return typeof found === 'string' || found === null;
}

function noText(name: string, found: unknown): ParsedAlert {
  return refuse('bad_field', `${name}: expected text, found ${kindOf(found)}`);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;

/**
 * Checks an RFC 3339 time; trailing zeros of the fraction go, as Go writes times, which also reads a comma before it.
 * Undefined when it is none.
 */
export function normaliseTime(text: string): string | undefined {
  if (CANONICAL_UTC.test(text)) return text;
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, utc, sign, offsetHour, offsetMinute] = match;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  date.setUTCFullYear(Number(year));
  const realDay = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  if (!realDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (!utc && (Number(offsetHour) > 23 || Number(offsetMinute) > 59)) return undefined;
  const decimals = (fraction ?? '').slice(0, 9).replace(/0+$/, '');
  const zone =
    utc || `${offsetHour}${offsetMinute}` === '0000' ? 'Z' : `${sign}${offsetHour}:${offsetMinute}`;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}${decimals && `.${decimals}`}${zone}`;
}

function tooMany(): ParsedAlert {
  return refuse('too_many', `more than ${MAX_ALERTS} alerts in one body; send them in several`);
}

/** The refusal of what is nested too deep. */
export function tooDeep(): { draft?: undefined; refusal: Refusal } {
  return { refusal: { reason: 'too_deep', message: `more than ${MAX_DEPTH} levels of nesting` } };
}

function refuse(reason: RefusalReason, message: string): ParsedAlert {
  return { refusal: { reason, message } };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
