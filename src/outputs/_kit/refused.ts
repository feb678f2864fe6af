/** Answers of 2xx that say which alerts, or how many, were not taken. */

import type { JsonObject, JsonValue } from '../../core/alert/json.ts';
import type { HttpResponse } from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { parseAnswer } from './answer.ts';
import { excerptOf } from './http.ts';

/**
 * The object in the body of an answer that says what became of the alerts. An empty one when there is something else:
 * servers that only speak the protocol, and proxies, may say nothing, and then the status counts. So it does for a single
 * alert, which would be sent again and again to a server whose answers break off.
 * @param count how many alerts it answers
 * @throws RetriableError when only the beginning of the body is there: what it says of the alerts is not known
 */
export function outcomesIn(response: HttpResponse, count: number): JsonObject {
  const answer = parseAnswer(response.body);
  if (count > 1 && (response.isCut || answer === undefined)) throw outcomesUnknown(response);
  return answer ?? {};
}

/** For an answer that should say which alerts were taken, and does not: they are sent again. */
export function outcomesUnknown(response: HttpResponse): RetriableError {
  const message = 'the answer does not say which alerts were taken';
  const excerpt = excerptOf(response);
  return new RetriableError(excerpt === '' ? message : `${message}: ${excerpt}`, { reason: 'server_error' });
}

/**
 * Returns when no alert was refused. The error makes core send the alerts of the batch one by one: those that were
 * taken arrive twice, which is better than not to know which one is missing.
 * @throws PermanentError
 */
export function expectNoneRefused(
  refused: JsonValue | undefined,
  count: number,
  response: HttpResponse,
): void {
  if (typeof refused !== 'number' || refused <= 0) return;
  throw new PermanentError(`${refused} of ${count} alerts were refused: ${excerptOf(response)}`, {
    reason: 'client_error',
  });
}
