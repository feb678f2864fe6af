/** Answers that count the alerts they did not take, without saying which. */
import type { HttpResponse } from '../../core/contract.ts';
import { PermanentError } from '../../core/errors.ts';
import type { JsonValue } from '../../core/json.ts';
import { excerptOf } from './http.ts';

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
