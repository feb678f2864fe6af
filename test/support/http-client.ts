/** HTTP clients for tests: no proxy, closed by `closeClients`. */
import type { ConnectionConfig } from '../../src/core/config/types.ts';
import type { HttpClient } from '../../src/core/contract.ts';
import type { PermanentError, RetriableError } from '../../src/core/errors.ts';
import { createHttpClient, type HttpClientOptions } from '../../src/core/http/client.ts';

/** Nothing special. */
export const PLAIN: ConnectionConfig = {
  verify: true,
  caFiles: [],
  certFile: '',
  keyFile: '',
  serverName: '',
  proxy: '',
  headers: {},
};

const clients: { close(): Promise<void> }[] = [];

export function clientOf(
  connection: Partial<ConnectionConfig> = {},
  options: Partial<HttpClientOptions> = {},
): HttpClient & { close(): Promise<void> } {
  const client = createHttpClient({
    connections: 4,
    env: {},
    ...options,
    connection: { ...PLAIN, ...connection },
  });
  clients.push(client);
  return client;
}

export async function closeClients(): Promise<void> {
  await Promise.all(clients.splice(0).map(client => client.close()));
}

/** What a promise is rejected with; undefined when it is not. */
export function failureOf(promise: Promise<unknown>): Promise<RetriableError | PermanentError | undefined> {
  return promise.then(
    () => undefined,
    error => error,
  );
}

/** A signal that never aborts. */
export function patience(): AbortSignal {
  return new AbortController().signal;
}
