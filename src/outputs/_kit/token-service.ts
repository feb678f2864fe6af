/** The ways to those who give out tokens: what the settings add for the destination is none of their business. */
import { text } from 'node:stream/consumers';
import type { Host, HttpClient, HttpRequest, HttpResponse } from '../../core/contract.ts';
import { RetriableError } from '../../core/errors.ts';
import { toAbortSignal } from './settle.ts';
import { toSocketFailure } from './socket-failure.ts';

/**
 * A client without the configured headers, client certificate and server name, that always checks the server. Proxy and
 * additional authorities are the output's: they may be the only way out.
 */
export function openTokenService({ connect, tls }: Pick<Host, 'connect' | 'tls'>): HttpClient {
  const files = { caFiles: [], certFile: '', keyFile: '', serverName: '' };
  const http = connect({ verify: true, ...files, ...(tls.ca && { pem: { ca: tls.ca.join('\n') } }) });
  return {
    send(request, until) {
      // The configured headers are put into what `sign` is given; what it returns is sent as it is.
      const sign: HttpRequest['sign'] = async (customised, signal) => {
        const own = { ...customised, headers: request.headers };
        return request.sign ? request.sign(own, signal) : own;
      };
      return http.send({ ...request, sign }, until);
    },
  };
}

/** For metadata servers, which answer the machine itself alone: no proxy is for them, whatever settings and environment say. */
export const metadataClient: HttpClient = {
  async send({ method, url, headers }, until) {
    // Loaded when it is asked: with every start it would cost a fifth of that.
    const http = await import('node:http');
    const signal = toAbortSignal(until);
    try {
      return await new Promise<HttpResponse>((resolve, reject) => {
        const request = http.request(url, { method, headers, signal, agent: false }, answer => {
          const { statusCode: status = 0, headers } = answer;
          text(answer).then(body => resolve({ status, headers, body }), reject);
        });
        request.on('error', reject).end();
      });
    } catch (error) {
      if (!signal.aborted) throw toSocketFailure(error);
      throw new RetriableError('the metadata server does not answer', { reason: 'timeout', cause: error });
    }
  },
};
