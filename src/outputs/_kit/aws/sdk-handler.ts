/** How the AWS SDK asks token services: by the ways of the output, which may have no other than through a proxy. */
import type { HttpClient } from '../../../core/contract.ts';

/** A request as the SDK describes it. */
interface Asked {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

/** Longer than anybody waits for keys. */
const TIMEOUT_MS = 30_000;

/** A `requestHandler` for clients of the SDK. It finds instance and container metadata by itself, without one. */
export function sdkHandler(http: HttpClient) {
  return {
    async handle({ method, headers, body, ...address }: Asked) {
      const { host: _, 'content-length': __, ...own } = headers;
      const answer = await http.send(
        {
          method: method as 'GET' | 'POST',
          url: urlOf(address),
          headers: own,
          body: typeof body === 'string' || Buffer.isBuffer(body) ? body : undefined,
          setup: true,
        },
        AbortSignal.timeout(TIMEOUT_MS),
      );
      return {
        response: {
          statusCode: answer.status,
          headers: flat(answer.headers),
          body: Buffer.from(answer.body),
        },
      };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function urlOf({
  protocol,
  hostname,
  port,
  path,
  query = {},
}: Omit<Asked, 'method' | 'headers' | 'body'>): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map(one => encodeURIComponent(name) + (one === null ? '' : `=${encodeURIComponent(one)}`)),
  );
  const search = parameters.length > 0 ? `?${parameters.join('&')}` : '';
  return `${protocol}//${hostname}${port ? `:${port}` : ''}${path}${search}`;
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  );
}
