/** Why a request, or an alert in it, is not taken, and how that is answered. All pure. */
import { AlertTooLargeError, SpoolFaultError, SpoolFullError } from '../spool/contract.ts';
import type { RequestRefusal } from './backend.ts';
import { ENCODINGS, type Encoding } from './body.ts';
import type { Incoming } from './cloudevents.ts';

/** A refusal and how it is answered. */
export interface Refused {
  status: number;
  reason: RequestRefusal;
  message: string;
  headers?: Record<string, string>;
  bytes?: number;
  error?: unknown;
}

/** An alert of a request that was not taken. */
export interface RefusedAlert {
  /** Its place in the request. */
  index: number;
  reason: RequestRefusal;
  message: string;
}

export const OVERLOADED: Refused = {
  status: 503,
  reason: 'overloaded',
  message: 'too many alerts at once; try again in a moment',
  headers: { 'Retry-After': '1' },
};

const FULL = { status: 503, headers: { 'Retry-After': '5' } };

export const UNKNOWN_ENCODING: Refused = {
  status: 415,
  reason: 'encoding',
  message: `the Content-Encoding is not understood; send the body plain or as one of ${ENCODINGS}`,
  headers: { 'Accept-Encoding': ENCODINGS },
};

/** @param challenge how to sign in */
export function unauthorized(challenge: string): Refused {
  return {
    status: 401,
    reason: 'unauthorized',
    message: 'missing or wrong credentials',
    headers: { 'WWW-Authenticate': challenge },
  };
}

export function tooLarge(limit: number): Refused {
  return { status: 413, reason: 'too_large', message: `the body is larger than ${limit} bytes` };
}

export function wronglyEncoded(encoding: Encoding, bytes: number): Refused {
  const message = `the body is not what its Content-Encoding (${encoding}) says`;
  return { status: 400, reason: 'encoding', message, bytes };
}

/** What an error of the backend means for the sender. */
export function toRefused(error: unknown, bytes: number): Refused {
  if (error instanceof SpoolFullError) {
    return { ...FULL, reason: 'spool_full', message: 'the spool is full; try again later', bytes };
  }
  if (error instanceof SpoolFaultError) {
    const fault = 'the spool cannot write to its disk';
    // Asking to send again what goes out from memory would double it.
    return error.isTaken
      ? { status: 503, reason: 'spool_fault', message: `${fault}: the alert is kept in memory only`, bytes }
      : { ...FULL, reason: 'spool_fault', message: `${fault}, and there is no room left in memory`, bytes };
  }
  if (error instanceof AlertTooLargeError) {
    return { status: 413, reason: 'too_large', message: error.message, bytes };
  }
  return {
    status: 500,
    reason: 'internal',
    message: 'internal error; the log has the details',
    bytes,
    error,
  };
}

/** The alerts that cannot be taken, in their order. */
export function refusedOf(incoming: readonly Incoming[]): RefusedAlert[] {
  const refused: RefusedAlert[] = [];
  incoming.forEach(({ refusal }, index) => {
    if (refusal) refused.push({ index, ...refusal });
  });
  return refused;
}
