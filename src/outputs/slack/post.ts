/** Posting with Slack's package through the sender of the host. */
import type { FetchFunction, IncomingWebhookSendArguments } from '@slack/webhook';
import type { Host, HttpResponse } from '../../core/contract.ts';
import { answeredObject, withStatus } from '../_kit/answer.ts';
import { judge } from '../_kit/http.ts';

type Post = (message: IncomingWebhookSendArguments, signal: AbortSignal) => Promise<void>;

/** Loads the package. What it returns rejects with a RetriableError or PermanentError. */
export async function openWebhook(address: string, { http, clock }: Host): Promise<Post> {
  const { IncomingWebhook } = await import('@slack/webhook');
  return async (message, signal) => {
    let answer: HttpResponse | undefined;
    let failure: unknown;
    // What came back is judged here, so that the package neither retries nor hides Retry-After.
    const fetch: FetchFunction = async (url, init) => {
      try {
        const body = String(init?.body ?? '');
        const headers = { 'content-type': 'application/json; charset=utf-8' };
        answer = await http.send({ method: 'POST', url: String(url), headers, body }, signal);
      } catch (error) {
        failure = error;
      }
      return accepted(answer?.body ?? '');
    };
    await new IncomingWebhook(address, { fetch, retryConfig: { retries: 0 } }).send(message);
    if (!answer) throw failure;
    judge(withStatus(answer, realStatus(answer)), clock.now());
  };
}

/** Codes of api.slack.com/methods/chat.postMessage#errors after which the same message may be taken. */
const PASSING: Record<string, number> = {
  rate_limited: 429,
  ratelimited: 429,
  fatal_error: 500,
  internal_error: 500,
  request_timeout: 408,
  service_unavailable: 503,
};

/** Slack's API, and what speaks like it, says `"ok": false` with a code inside a 200. */
function realStatus({ status, body }: HttpResponse): number {
  const { ok, error } = answeredObject(body);
  return status < 300 && ok === false ? (PASSING[String(error)] ?? 400) : status;
}

const NO_HEADERS = new Headers();

/** An answer that the package takes for a success. */
function accepted(body: string): Awaited<ReturnType<FetchFunction>> {
  return {
    ok: true,
    status: 200,
    statusText: 'OK',
    url: '',
    headers: NO_HEADERS,
    arrayBuffer: async () => new TextEncoder().encode(body).buffer as ArrayBuffer,
    json: async () => body,
    text: async () => body,
  };
}
