/**
 * Alerts that come as CloudEvents 1.0 over HTTP: structured, batched or binary. The data is cut out of the envelope's
 * text, so that its numbers stay exact. See https://github.com/cloudevents/spec (HTTP binding and JSON format, 1.0.2).
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { AlertDraft } from '../alert/alert.ts';
import { isJsonObject } from '../alert/json.ts';
import { isTooDeep, MAX_ALERTS, parseAlert, parseAlerts, tooDeep, withoutMark } from '../alert/parse.ts';
import { elementSpans, memberSpans } from '../alert/scan.ts';
import { percentDecoded } from '../url-parts.ts';
import type { RequestRefusal } from './backend.ts';

/** One alert of a request: taken, or refused with a sentence for whoever sent it. */
export type Incoming =
  | { draft: AlertDraft; refusal?: undefined }
  | { draft?: undefined; refusal: { reason: RequestRefusal; message: string } };

/** Reads a body by what its headers say it is: CloudEvents, or alerts as they are. Never throws. */
export function readAlerts(headers: IncomingHttpHeaders, body: string): Incoming[] {
  const type = headers['content-type'];
  if (type !== undefined && /^\s*application\/cloudevents/i.test(type))
    return readEvents(type, withoutMark(body));
  return headers['ce-specversion'] === undefined
    ? parseAlerts(body)
    : [readBinary(headers, withoutMark(body))];
}

/** Levels that a batch and its event are around an alert. */
const ENVELOPE_DEPTH = 2;

/** What an event says of its alert besides the data. */
interface Attributes {
  id: string;
  time: string | undefined;
}

function readEvents(contentType: string, body: string): Incoming[] {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  const batch = type === 'application/cloudevents-batch+json';
  if (!batch && type !== 'application/cloudevents+json' && type !== 'application/cloudevents') {
    return [refuse(`${type} is not understood; send application/cloudevents+json`)];
  }
  if (isTooDeep(body, ENVELOPE_DEPTH)) return [tooDeep()];
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [refuse('the body is not JSON')];
  }
  if (!batch) return [readEvent(body, value)];
  if (!Array.isArray(value)) return [refuse('a batch of CloudEvents is a JSON list')];
  if (value.length === 0) return [{ refusal: { reason: 'empty', message: 'the batch is empty' } }];
  if (value.length > MAX_ALERTS) {
    return [{ refusal: { reason: 'too_many', message: `more than ${MAX_ALERTS} events in one batch` } }];
  }
  return elementSpans(body).map((span, index) => readEvent(body.slice(span.start, span.end), value[index]));
}

function readEvent(text: string, event: unknown): Incoming {
  if (!isJsonObject(event)) return refuse('a CloudEvent is a JSON object');
  const problem = attributeProblem(name => event[name]);
  if (problem) return refuse(problem);
  const attributes: Attributes = {
    id: event.id as string,
    time: typeof event.time === 'string' ? event.time : undefined,
  };
  if (typeof event.data_base64 === 'string') {
    return toAlert(Buffer.from(event.data_base64, 'base64').toString(), attributes);
  }
  // Data under a content type that is not JSON is a text, which may hold the JSON of the alert all the same.
  if (typeof event.data === 'string') return toAlert(event.data, attributes);
  const data = memberSpans(text).findLast(member => member.key === 'data');
  return data ? toAlert(text.slice(data.start, data.end), attributes) : refuse('the CloudEvent has no data');
}

function readBinary(headers: IncomingHttpHeaders, body: string): Incoming {
  const attribute = (name: string) => decodeHeader(headers[`ce-${name}`]);
  const problem = attributeProblem(attribute);
  return problem ? refuse(problem) : toAlert(body, { id: attribute('id')!, time: attribute('time') });
}

function attributeProblem(attribute: (name: string) => unknown): string | undefined {
  const version = attribute('specversion');
  if (version !== '1.0') return 'specversion: expected 1.0';
  for (const name of ['id', 'source', 'type']) {
    const value = attribute(name);
    if (typeof value !== 'string' || value === '')
      return `${name}: a CloudEvent needs it as a text that is not empty`;
  }
  return undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The alert in an event's data; the event's id and time stand in for what the alert does not say. */
function toAlert(data: string, attributes: Attributes): Incoming {
  if (isTooDeep(data)) return tooDeep();
  const value = tryParse(data);
  if (!isJsonObject(value)) return parseAlert(data);
  const missing = (name: string) => {
    const key = Object.keys(value).findLast(member => member.toLowerCase() === name);
    return key === undefined || value[key] === null || value[key] === '';
  };
  let added = '';
  if (UUID.test(attributes.id) && missing('uuid')) added += `,"uuid":"${attributes.id}"`;
  if (attributes.time !== undefined && missing('time')) added += `,"time":${JSON.stringify(attributes.time)}`;
  if (added === '') return parseAlert(data);
  const end = data.lastIndexOf('}');
  const members = Object.keys(value).length > 0 ? added : added.slice(1);
  // The last of two members with one name counts, so the added ones go behind.
  return parseAlert(`${data.slice(0, end)}${members}}`);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Header values are percent-encoded UTF-8 (HTTP binding, 3.1.3.2).
function decodeHeader(value: string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : percentDecoded(String(value));
}

function refuse(message: string): Incoming {
  return { refusal: { reason: 'bad_cloudevent', message } };
}
