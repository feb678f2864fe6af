/** Answers for a service that gives out identities, where a request is looked at instead of sent. */
import type { HttpRequest, HttpResponse } from '../../src/core/contract.ts';

/** Undefined for a request to any other service. */
export function identityAnswer({ url }: Pick<HttpRequest, 'url'>): HttpResponse | undefined {
  const { hostname } = new URL(url);
  if (/^sts\.[a-z0-9-]+\.amazonaws\.com$/.test(hostname)) {
    return { status: 200, headers: { 'content-type': 'text/xml' }, body: '<Arn>arn:aws:iam::1:user/x</Arn>' };
  }
  if (hostname !== 'metadata.google.internal') return undefined;
  const body = JSON.stringify({ access_token: 'access-token', expires_in: 3600, token_type: 'Bearer' });
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}
