/** What answers mean besides their status. Pure. */

import { isJsonObject, type JsonObject, type JsonValue } from '../../core/alert/json.ts';
import type { HttpResponse } from '../../core/contract.ts';

/** The object in an answer's body; an empty one when there is something else. */
export function answeredObject(body: string): JsonObject {
  return parseAnswer(body) ?? {};
}

/** The object in an answer's body; an empty one when there is something else, undefined when one begins that is none. */
export function parseAnswer(body: string): JsonObject | undefined {
  // Most answers are a word such as `ok`: finding out by an exception costs more than the rest of a delivery's JSON.
  if (!/^\s*\{/.test(body)) return {};
  try {
    const value = JSON.parse(body) as JsonValue;
    return isJsonObject(value) ? value : {};
  } catch {
    return undefined;
  }
}

/** The same answer with the status that it stands for; what it must not repeat in errors goes along. */
export function withStatus(response: HttpResponse, status: number): HttpResponse {
  const { headers, body } = response;
  return { status, headers, body, secrets: () => response.secrets?.() ?? [] };
}
