/** What answers of AWS services say of a failure: the status alone does not tell throttling from a bad request. */
import type { HttpResponse } from '../../../core/contract.ts';
import { type FailureReason, PermanentError, RetriableError } from '../../../core/errors.ts';
import { answeredObject } from '../answer.ts';
import { answeredAt, judge, retryAfterMs } from '../http.ts';

// Names of errors common to the services, and those of the services used here:
// docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html, docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html.
// A function or a snapshot that is still being made: docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. What a key of
// KMS is at fault for, SQS spells `KmsDisabled`: docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
const KINDS: readonly [reason: FailureReason, code: RegExp][] = [
  [
    'rate_limited',
    /^(.*Thrott.*|TooManyRequests.*|RequestLimitExceeded|ProvisionedThroughputExceeded.*|LimitExceeded.*|BandwidthLimitExceeded|SlowDown|PriorRequestNotComplete)$/,
  ],
  [
    'auth',
    /^(.*AccessDenied.*|Expired.*|RequestExpired|.*TokenId|InvalidToken|TokenRefreshRequired|UnrecognizedClient.*|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSignature.*|IncompleteSignature.*|MissingAuthenticationToken.*|RequestTimeTooSkewed|AuthorizationError.*|AuthFailure|NotAuthorized|OptInRequired)$/,
  ],
  [
    'server_error',
    /^(InternalFailure.*|InternalError.*|InternalServer.*|ServiceUnavailable.*|KMS.*|Kms.*|RequestTimeout.*|OperationAborted|ServiceException|ResourceConflict.*|ResourceNotReady.*|SnapStartNotReady.*)$/,
  ],
];

/** The same page: keys that have ended before their time, or are no longer known. */
const KEY_ENDED =
  /^(Expired.*|.*TokenId|InvalidToken|TokenRefreshRequired|UnrecognizedClient.*|InvalidAccessKeyId)$/;

/** Whether a refusal says that other keys are needed than those it was signed with. */
export function isKeyEnded(response: HttpResponse): boolean {
  return response.status >= 400 && KEY_ENDED.test(errorCode(response));
}

/** Signatures hold for five minutes before and after (with S3 fifteen); a clock that is nearly as far off is wrong as well. */
const MAX_SKEW_MS = 4 * 60_000;

/**
 * How far the clock of the service is ahead of ours, in milliseconds, by an answer that refuses who asks; 0 where it is
 * near enough. Undefined for an answer that says nothing of it. The SDKs sign by that clock then, too.
 */
export function clockSkew(response: HttpResponse, now: number): number | undefined {
  const theirs = answeredAt(response);
  if (theirs === undefined || response.status < 400) return undefined;
  if (failureOf(errorCode(response), '')?.reason !== 'auth') return undefined;
  return Math.abs(theirs - now) < MAX_SKEW_MS ? 0 : theirs - now;
}

/** The name of the error in an answer: header, JSON or XML; empty when there is none. */
export function errorCode(response: HttpResponse): string {
  const header = response.headers['x-amzn-errortype'];
  const { __type, code, Code } = answeredObject(response.body);
  const found = [header, __type, code, Code].find(value => typeof value === 'string');
  const name = found ?? /<Code>([^<]{1,200})<\/Code>/.exec(response.body)?.[1] ?? '';
  // `com.amazonaws.sqs#QueueDoesNotExist`, `ResourceNotFoundException:http://...`
  return String(name).replace(/^.*#/, '').replace(/:.*$/s, '');
}

/** The error for a name; undefined for one that the status explains. */
export function failureOf(code: string, message: string, retryAfter?: number): RetriableError | undefined {
  const reason = KINDS.find(([, pattern]) => pattern.test(code))?.[0];
  return reason && new RetriableError(message, { reason, retryAfterMs: retryAfter });
}

/** The error of one entry of a batch. */
export function entryFailure(code: string, senderFault: boolean): RetriableError | PermanentError {
  const message = `refused: ${code.slice(0, 100)}`;
  const known = failureOf(code, message);
  if (known) return known;
  return senderFault
    ? new PermanentError(message, { reason: 'client_error' })
    : new RetriableError(message, { reason: 'server_error' });
}

/**
 * Throws unless the service has accepted. What a change of rights or of the clock mends, and throttling, is retriable
 * whatever the status.
 * @throws RetriableError | PermanentError
 */
export function judgeAws(response: HttpResponse, now: number, secrets: readonly string[]): void {
  try {
    judge(response, now, secrets);
  } catch (error) {
    const message = (error as Error).message;
    throw failureOf(errorCode(response), message, retryAfterMs(response, now)) ?? error;
  }
}
