/** Tokens of Microsoft Entra ID, from wherever Azure's default chain finds an identity. */
import type { TokenCredential } from '@azure/identity';
import type { Host, HttpClient } from '../../core/contract.ts';
import { PermanentError, RetriableError } from '../../core/errors.ts';
import { BearerClient } from '../_kit/bearer.ts';

/** learn.microsoft.com/azure/event-hubs/authenticate-application. */
const SCOPE = 'https://eventhubs.azure.net/.default';
const TIMEOUT_MS = 15_000;

/** @throws PermanentError when the optional package is not installed */
export async function loadIdentity() {
  try {
    return await import('@azure/identity');
  } catch (error) {
    throw new PermanentError(
      'the optional package @azure/identity is not installed; install it, or set connectionstring',
      { reason: 'other', cause: error },
    );
  }
}

/**
 * A client that shows a token of the default chain: environment, workload identity, managed identity, developer tools.
 * Nothing is asked before the first request; `send` throws a RetriableError with reason `auth` when there is no token.
 */
export function openEntra(host: Pick<Host, 'http' | 'clock'>): HttpClient {
  let credential: TokenCredential | undefined;
  return new BearerClient(host, async () => {
    const { DefaultAzureCredential } = await loadIdentity();
    credential ??= new DefaultAzureCredential();
    try {
      const abortSignal = AbortSignal.timeout(TIMEOUT_MS);
      const { token, expiresOnTimestamp } = (await credential.getToken(SCOPE, { abortSignal }))!;
      return { text: token, lifetimeMs: expiresOnTimestamp - host.clock.now() };
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      // Not its words: they may quote what a service answered. The cause has them.
      throw new RetriableError(`no access token from Azure (${name})`, { reason: 'auth', cause: error });
    }
  });
}
