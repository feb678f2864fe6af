/** Answers that hold a JSON object. Pure. */
import { isJsonObject, type JsonObject } from '../../core/json.ts';

/** The object in an answer's body; an empty one when there is something else. */
export function answeredObject(body: string): JsonObject {
  try {
    const value: unknown = JSON.parse(body);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is JsonObject {
  return isJsonObject(value as JsonObject);
}
