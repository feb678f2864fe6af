/** What `template.body` gives where it is part of a call. Pure. */

import { isJsonObject, type JsonObject, parseExact } from '../../core/alert/json.ts';
import type { Alert } from '../../core/contract.ts';

/** The members of the user's own object for an alert; undefined where there is none, and the usual ones are to go. */
export function ownMembers(alert: Alert): JsonObject | undefined {
  if (!alert.templated) return undefined;
  const own = parseExact(alert.json);
  return isJsonObject(own) ? own : undefined;
}
