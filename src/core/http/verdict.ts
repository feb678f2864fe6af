/** What an HTTP answer means for the alert that was sent. Pure. */
import type { HttpResponse } from '../contract.ts';
import { type FailureReason, PermanentError, RetriableError } from '../errors.ts';
import { createRedactor } from '../redact.ts';
import { STATUS_CODES } from './node-http.ts';
import { oneLine, scrubUrls } from './scrub.ts';

/** Kept of an answer's body in an error: enough for a vendor's own words. */
const MAX_EXCERPT = 200;
const MAX_LOOKED_AT = 4096;

/**
 * Returns when the far side has accepted: any 2xx.
 * @param now milliseconds since the epoch, for a Retry-After that is a date
 * @param secrets texts that the answer might repeat, masked besides those of the request itself
 * @throws RetriableError for 408, 425, 429 and 5xx but 501; PermanentError for everything else
 */
export function verdict(response: HttpResponse, now: number, secrets: readonly string[] = []): void {
  const { status } = response;
  if (status >= 200 && status < 300) return;
  const message = describe(response, secrets);
  const retriable = retriableReason(status);
  if (retriable === undefined) throw new PermanentError(message, { reason: permanentReason(status) });
  throw new RetriableError(message, { reason: retriable, retryAfterMs: retryAfterMs(response, now) });
}

function retriableReason(status: number): FailureReason | undefined {
  if (status === 429) return 'rate_limited';
  if (status === 408) return 'timeout';
  if (status === 425) return 'other';
  return status >= 500 && status !== 501 ? 'server_error' : undefined;
}

function permanentReason(status: number): FailureReason {
  if (status === 401 || status === 403) return 'auth';
  return status === 501 ? 'server_error' : 'client_error';
}

function describe(response: HttpResponse, secrets: readonly string[]): string {
  const { status } = response;
  const name = STATUS_CODES[status];
  const answered = `answered ${status}${name ? ` ${name}` : ''}`;
  if (status >= 300 && status < 400) {
    const { location } = response.headers;
    const host = typeof location === 'string' ? URL.parse(location)?.host : undefined;
    return host ? `${answered}: the address has moved to ${host}` : `${answered}: the address has moved`;
  }
  const excerpt = excerptOf(response, secrets);
  return excerpt === '' ? answered : `${answered}: ${excerpt}`;
}

/** The beginning of an answer's body, fit to be shown: a service may repeat the address or token it was sent. */
export function excerptOf(response: HttpResponse, secrets: readonly string[] = []): string {
  if (response.body === '') return '';
  // Masked before it is cut, or the first half of a secret could be left at the end.
  const mask = createRedactor([...secrets, ...(response.secrets?.() ?? [])]);
  return oneLine(mask(scrubUrls(oneLine(response.body, MAX_LOOKED_AT))), MAX_EXCERPT);
}

const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '\\d\\d:\\d\\d:\\d\\d';
/** The forms of a date in HTTP (RFC 9110 section 5.6.7); `Date.parse` would take `-1` and `10,10` for dates too. */
const HTTP_DATE = new RegExp(`^[A-Z][a-z]{2,8}, \\d\\d(?: ${MONTH} \\d{4}|-${MONTH}-\\d\\d) ${TIME} GMT$`);
/** The third one, of C's asctime: it has no zone and means UTC. */
const ASCTIME_DATE = new RegExp(`^[A-Z][a-z]{2} ${MONTH} [ \\d]\\d ${TIME} \\d{4}$`);

/**
 * How long the far side asks to wait, in milliseconds; undefined when it does not. Read from `Retry-After` (seconds or
 * a date: RFC 9110 section 10.2.3), else from the `retry_after` seconds that Discord, Telegram and Slack put into the
 * body of a 429. Of several headers the longest wait counts: a gateway and the service behind it may both ask for one,
 * and who comes earlier is turned away by the other.
 * @param now milliseconds since the epoch, for a date in an answer that does not tell its own
 */
export function retryAfterMs(response: HttpResponse, now: number): number | undefined {
  const asked = valuesOf(response, 'retry-after').filter(text => text !== '');
  if (asked.length > 0) {
    // The far side's clock and ours need not agree.
    const since = answeredAt(response) ?? now;
    const waits = asked.map(text => waitMs(text, since)).filter(wait => wait !== undefined);
    return waits.length > 0 ? Math.max(...waits) : undefined;
  }
  const inBody = response.status === 429 ? /"retry_after"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(response.body) : null;
  return inBody ? Number(inBody[1]) * 1000 : undefined;
}

/** When an answer was given, by the clock of the far side, in milliseconds since the epoch; undefined when it does not tell. */
export function answeredAt(response: HttpResponse): number | undefined {
  return dateIn(valuesOf(response, 'date')[0]);
}

function valuesOf({ headers }: HttpResponse, name: string): string[] {
  const value = headers[name] ?? [];
  return (Array.isArray(value) ? value : [value]).map(text => text.trim());
}

function waitMs(text: string, since: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const until = dateIn(text);
  return until === undefined ? undefined : Math.max(0, until - since);
}

/** A date of HTTP as milliseconds since the epoch. */
function dateIn(text = ''): number | undefined {
  if (!HTTP_DATE.test(text) && !ASCTIME_DATE.test(text)) return undefined;
  const time = Date.parse(ASCTIME_DATE.test(text) ? `${text} GMT` : text);
  return Number.isNaN(time) ? undefined : time;
}
