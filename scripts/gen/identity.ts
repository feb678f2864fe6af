/** Answers for services that give out identities, where a request is looked at instead of sent. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpRequest, HttpResponse } from '../../src/core/contract.ts';

/** Undefined for a request to any other service. */
export function identityAnswer({ url }: Pick<HttpRequest, 'url'>): HttpResponse | undefined {
  const { hostname } = new URL(url);
  if (/^sts\.[a-z0-9-]+\.amazonaws\.com$/.test(hostname)) {
    return { status: 200, headers: { 'content-type': 'text/xml' }, body: '<Arn>arn:aws:iam::1:user/x</Arn>' };
  }
  return undefined;
}

/** Serves tokens in place of Google's metadata server, which no client of the host is asked for. It keeps no process alive. */
export async function serveMetadata(): Promise<void> {
  const token = JSON.stringify({ access_token: 'access-token', expires_in: 3600, token_type: 'Bearer' });
  const server = createServer((_request, answer) => answer.end(token)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  process.env.GCE_METADATA_HOST = `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
