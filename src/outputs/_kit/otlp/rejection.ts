/** What an answer to an export says of items that were refused. Pure. */

import { isJsonObject } from '../../../core/alert/json.ts';
import type { HttpResponse } from '../../../core/contract.ts';
import { excerptOf } from '../http.ts';
import { decode } from '../protobuf.ts';
import { outcomesIn, outcomesUnknown } from '../refused.ts';
import { EXPORT_RESPONSE } from './messages.ts';

/** What a receiver that took a request would not take of it. */
export interface Rejection {
  /** One line, without secrets. */
  message: string;
}

/** In an answer over gRPC. One that cannot be read is no rejection: the call went well. */
export function rejectionIn(answer: Buffer, secrets: readonly string[]): Rejection | undefined {
  try {
    const { partialSuccess } = decode(EXPORT_RESPONSE, answer) as {
      partialSuccess?: { rejected?: number; errorMessage?: string };
    };
    return partialSuccess?.rejected ? toRejection(partialSuccess.errorMessage ?? '', secrets) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * In a 2xx answer over HTTP.
 * @param count how many items it answers
 * @throws RetriableError when it ends before it says whether some of several items were refused
 */
export function rejectionInText(
  response: HttpResponse,
  count: number,
  secrets: readonly string[],
): Rejection | undefined {
  const read = PROTOBUF.test(response.body) ? textInProtobuf : textInJson;
  const refused = read(response, count);
  return refused === undefined ? undefined : toRejection(refused, secrets);
}

/** The receiver's words in an answer to JSON: counts have a name for each kind, `rejectedSpans`, and may be texts. */
function textInJson(response: HttpResponse, count: number): string | undefined {
  const { partialSuccess } = outcomesIn(response, count);
  if (partialSuccess === undefined || !isJsonObject(partialSuccess)) return undefined;
  const { errorMessage = '', ...counts } = partialSuccess;
  return Object.values(counts).some(rejected => Number(rejected) > 0) ? String(errorMessage) : undefined;
}

// Answers are read as UTF-8, in which a number's bytes of 128 and up have become other characters. What is left tells a
// partial success (field 1) by its length, a count that is not 0 (field 1 within it), and the message (field 2) behind it.
// biome-ignore-start lint/suspicious/noControlCharactersInRegex: they are bytes of a protobuf message
/** Going by its length alone, it could be JSON: `\n{`. */
const PROTOBUF = /^\n[^\0-\x7f]*[\0-\x7f](?:[\x08\x12]|$)/;
const COUNTED = /^\n[^\0-\x7f]*[\0-\x7f]\x08([^\0-\x7f]*[\0-\x7f])(?:\x12[^\0-\x7f]*[\0-\x7f])?/;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: see above

/** The receiver's words in an answer to protobuf. */
function textInProtobuf(response: HttpResponse, count: number): string | undefined {
  const match = COUNTED.exec(response.body);
  if (match) return match[1] === '\0' ? undefined : response.body.slice(match[0].length);
  if (count > 1 && response.isCut) throw outcomesUnknown(response);
  return undefined;
}

function toRejection(text: string, secrets: readonly string[]): Rejection {
  const said = excerptOf({ status: 200, headers: {}, body: text }, secrets);
  return { message: `the receiver refused what it was sent${said === '' ? '' : `: ${said}`}` };
}
