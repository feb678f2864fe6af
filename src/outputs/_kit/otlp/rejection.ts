/** What an answer to an export says of items that were refused. Pure. */
import { isJsonObject } from '../../../core/json.ts';
import { answeredObject } from '../answer.ts';
import { excerptOf } from '../http.ts';
import { decode } from '../protobuf.ts';
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

/** In the body of a 2xx answer over HTTP. */
export function rejectionInText(body: string, secrets: readonly string[]): Rejection | undefined {
  const refused = textInJson(body) ?? textInProtobuf(body);
  return refused === undefined ? undefined : toRejection(refused, secrets);
}

/** The receiver's words in an answer to JSON: counts have a name for each kind, `rejectedSpans`, and may be texts. */
function textInJson(body: string): string | undefined {
  const { partialSuccess } = answeredObject(body);
  if (partialSuccess === undefined || !isJsonObject(partialSuccess)) return undefined;
  const { errorMessage = '', ...counts } = partialSuccess;
  return Object.values(counts).some(count => Number(count) > 0) ? String(errorMessage) : undefined;
}

/**
 * The receiver's words in an answer to protobuf. It has been read as UTF-8, in which a number's bytes of 128 and up have
 * become other characters: enough is left to tell a count that is not 0 (field 1 within field 1), and the message
 * (field 2) behind it.
 */
function textInProtobuf(body: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are bytes of a protobuf message
  const match = /^\n[^\0-\x7f]*[\0-\x7f]\x08([^\0-\x7f]*[\0-\x7f])(?:\x12[^\0-\x7f]*[\0-\x7f])?/.exec(body);
  return match && match[1] !== '\0' ? body.slice(match[0].length) : undefined;
}

function toRejection(text: string, secrets: readonly string[]): Rejection {
  const said = excerptOf({ status: 200, headers: {}, body: text }, secrets);
  return { message: `the receiver refused what it was sent${said === '' ? '' : `: ${said}`}` };
}
