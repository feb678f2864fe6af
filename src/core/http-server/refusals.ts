/** The memory of what was refused: the last ones for the API, a count for the metrics, a line for the log. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../contract.ts';
import { createLogLimit, type LogLimit } from '../log-limit.ts';
import type { IngestObserver, RequestRefusal } from './backend.ts';

/** What a refusal shows of its request. */
export type RequestFacts = Pick<IncomingMessage, 'method' | 'headers' | 'socket'>;

/** A request (or alerts in it) that was not taken. */
export interface RefusedRequest {
  /** Milliseconds since the epoch. */
  at: number;
  reason: RequestRefusal;
  /** A sentence for whoever runs the sender. */
  message: string;
  /** How many alerts; absent when the request as a whole was refused. */
  alerts?: number;
  method?: string;
  /** Without query, and without what could be a secret. */
  path?: string;
  sender: { address: string; userAgent?: string; forwardedFor?: string };
  /** Size of the body where it is known. */
  bytes?: number;
}

const KEPT = 100;
const LONGEST_TEXT = 200;
/** A message may quote what was sent. */
const LONGEST_MESSAGE = 1000;

export class Refusals {
  readonly #observer: IngestObserver;
  readonly #log: LogLimit;
  readonly #ring: RefusedRequest[] = [];

  constructor(observer: IngestObserver, log: Logger) {
    this.#observer = observer;
    this.#log = createLogLimit(log, { monotonic: () => performance.now() });
  }

  /** The last refusals, oldest first. */
  list(): RefusedRequest[] {
    return [...this.#ring];
  }

  /** Notes that a request, or some of its alerts, was refused. `path` is what may be shown of its path. */
  noteRequest(
    request: RequestFacts,
    path: string,
    refusal: { reason: RequestRefusal; message: string; bytes?: number; error?: unknown },
    counts: readonly RequestRefusal[] = [refusal.reason],
  ): void {
    const { headers } = request;
    const declared = headers['content-length'];
    this.#note(
      {
        at: Date.now(),
        reason: refusal.reason,
        message: cut(refusal.message, LONGEST_MESSAGE),
        ...(counts.length > 1 ? { alerts: counts.length } : {}),
        method: request.method,
        path: cut(path),
        sender: {
          address: request.socket.remoteAddress ?? '',
          ...(headers['user-agent'] ? { userAgent: cut(headers['user-agent']) } : {}),
          ...(headers['x-forwarded-for'] ? { forwardedFor: cut(String(headers['x-forwarded-for'])) } : {}),
        },
        bytes: refusal.bytes ?? (declared === undefined ? undefined : Number(declared)),
      },
      counts,
      refusal.error,
    );
  }

  /** Notes that a connection was refused before there was a request. */
  noteConnection(socket: Pick<Socket, 'remoteAddress'>, reason: RequestRefusal, message: string): void {
    this.#note({ at: Date.now(), reason, message, sender: { address: socket.remoteAddress ?? '' } }, [
      reason,
    ]);
  }

  #note(refused: RefusedRequest, counts: readonly RequestRefusal[], error?: unknown): void {
    for (const reason of counts) this.#observer.refused(reason);
    this.#ring.push(refused);
    if (this.#ring.length > KEPT) this.#ring.shift();
    this.#write(refused, error);
  }

  // A sender that is set up wrongly is refused again and again: one line a minute for each reason says it all.
  #write({ reason, message, path, sender }: RefusedRequest, error: unknown): void {
    const fields = { reason, path, sender };
    if (error === undefined) this.#log.warn(reason, fields, `refused: ${message}`);
    else this.#log.error(reason, { ...fields, err: error }, `refused: ${message}`);
  }
}

function cut(text: string, longest = LONGEST_TEXT): string {
  return text.length > longest ? `${text.slice(0, longest)}...` : text;
}
