/** Whose credentials are used, for the log. Nothing depends on the answer. */
import type { HttpClient, HttpRequest, Logger } from '../../../core/contract.ts';
import { judge } from '../http.ts';
import { serviceUrl } from './endpoint.ts';

const TIMEOUT_MS = 10_000;

interface Asking {
  /** For token services, see `openTokenService`. */
  http: HttpClient;
  log: Logger;
  region: string;
  sign: NonNullable<HttpRequest['sign']>;
}

/** Asks STS (docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html) and logs what it says. Never rejects. */
export async function logIdentity({ http, log, region, sign }: Asking, signal: AbortSignal): Promise<void> {
  const request: HttpRequest = {
    method: 'POST',
    url: `${serviceUrl('sts', region, 'STS')}/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    setup: true,
    sign,
  };
  try {
    const answer = await http.send(request, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
    judge(answer, Date.now());
    const arn = /<Arn>([^<]{1,300})<\/Arn>/.exec(answer.body)?.[1];
    log.info({ arn }, 'AWS knows the credentials');
  } catch (error) {
    if (signal.aborted) return;
    const why = error instanceof Error ? error.message : 'unknown';
    log.warn(
      { why },
      'AWS was asked whose credentials these are and did not tell; alerts are sent all the same',
    );
  }
}
