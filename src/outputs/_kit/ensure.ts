/** Sees to it that something an output needs is there before the first alert: an index, a template. */
import type { Host, HttpRequest } from '../../core/contract.ts';
import { judge } from './http.ts';

/** A GET that tells whether it is there, and what makes it. */
export interface Wanted {
  check: Pick<HttpRequest, 'url' | 'headers'>;
  create: Omit<HttpRequest, 'body'> & { body: string };
  /** Whether a 4xx answer to `create` says that another one was there first. */
  exists(answer: string): boolean;
}

const TIMEOUT_MS = 10_000;

/**
 * Makes what is wanted unless it is there.
 * @throws RetriableError | PermanentError when neither can be told or done
 */
export async function ensure({ http, clock }: Pick<Host, 'http' | 'clock'>, wanted: Wanted): Promise<void> {
  const check = { ...wanted.check, method: 'GET' as const, body: undefined };
  const found = await http.send(check, AbortSignal.timeout(TIMEOUT_MS));
  if (found.status !== 404) return judge(found, clock.now());
  const made = await http.send({ ...wanted.create, setup: true }, AbortSignal.timeout(TIMEOUT_MS));
  const isClient = made.status >= 400 && made.status < 500;
  if (!(isClient && wanted.exists(made.body))) judge(made, clock.now());
}
