/** The bulk API: elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk. Pure. */

import { isJsonObject, type JsonObject, type JsonValue } from '../../core/alert/json.ts';
import type { HttpResponse } from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { answeredObject } from '../_kit/answer.ts';
import { excerptOf, judge } from '../_kit/http.ts';
import { outcomesUnknown } from '../_kit/refused.ts';

/** Why a document was not stored. */
export interface Refusal {
  status: number;
  /** `document_parsing_exception` and the like. */
  type: string;
  reason: string;
}

/** Action and document in turns. */
export function toBulk(documents: readonly string[], index: string): string {
  const action = JSON.stringify({ create: { _index: index } });
  return documents.map(document => `${action}\n${document}\n`).join('');
}

/**
 * What became of each document of a bulk request that was answered with 200: a refusal, or undefined when it was stored.
 * @throws RetriableError when the answer does not say it: a proxy's page, or one that was cut off
 */
export function readOutcomes(response: HttpResponse, count: number): (Refusal | undefined)[] {
  const answer = answeredObject(response.body);
  const stored = Array<Refusal | undefined>(count).fill(undefined);
  if (answer.errors === false) return stored;
  const items: readonly JsonValue[] = Array.isArray(answer.items) ? answer.items : [];
  if (answer.errors !== true || items.length !== count) throw outcomesUnknown(response);
  return items.map(item => {
    const [result] = isJsonObject(item) ? Object.values(item) : [];
    if (result === undefined || !isJsonObject(result)) throw outcomesUnknown(response);
    return toRefusal(result, Number(result.status));
  });
}

/** Why a single document was not stored; undefined when it was. */
export function readOutcome({ status, body }: HttpResponse): Refusal | undefined {
  return status < 300 ? undefined : toRefusal(answeredObject(body), status);
}

function toRefusal({ error }: JsonObject, status: number): Refusal | undefined {
  if (status < 300) return undefined;
  const { type, reason, caused_by } = isJsonObject(error) ? error : {};
  const cause = isJsonObject(caused_by) ? caused_by.reason : undefined;
  // `failed to parse` alone says little.
  return { status, type: String(type ?? ''), reason: [reason, cause].filter(Boolean).join(': ') };
}

/**
 * Whether the state of the cluster is at fault, which passes: an index is blocked for writes while disks are full, and no
 * new one can be made while there are too many shards (github.com/fluent/fluent-plugin-opensearch/issues/133).
 */
function isOfCluster({ type, reason }: Refusal): boolean {
  return type === 'cluster_block_exception' || /\] maximum (\w+ )?shards open/.test(reason);
}

/**
 * The error for a document that was not stored.
 * @param response the answer that it came with
 */
export function toError(
  refusal: Refusal,
  response: HttpResponse,
  now: number,
  secrets: readonly string[],
): RetriableError | PermanentError {
  const { status, type, reason } = refusal;
  const own: HttpResponse = { ...response, status, body: type === '' ? response.body : `${type}: ${reason}` };
  // Its secrets are a method of the answer.
  own.secrets = () => response.secrets?.() ?? [];
  if (isOfCluster(refusal)) {
    return new RetriableError(`answered ${status}: ${excerptOf(own, secrets)}`, { reason: 'server_error' });
  }
  try {
    judge(own, now, secrets);
  } catch (error) {
    if (error instanceof RetriableError || error instanceof PermanentError) return error;
  }
  return new RetriableError(`answered ${status}`, { reason: 'server_error' });
}
