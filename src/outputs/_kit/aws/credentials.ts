/** Credentials and region as the AWS SDK finds them. Its packages are optional and loaded only when they are needed. */
import type { HttpClient } from '../../../core/contract.ts';
import { PermanentError, RetriableError } from '../../../core/errors.ts';
import { createRenewed, type Renewed } from '../renewed.ts';
import { sdkHandler } from './sdk-handler.ts';
import type { AwsSettings } from './settings.ts';
import type { AwsKeys } from './sign.ts';

/** Gives keys that hold, and others once those are dropped. */
export type KeySource = Pick<Renewed<AwsKeys>, 'get' | 'drop'>;

interface TimedKeys extends AwsKeys {
  expiration?: Date;
}

/**
 * The keys of the settings, or the SDK's default chain; with `rolearn` those of the role, assumed with them.
 * @param http for token services, see `openTokenService`
 * @throws PermanentError when the SDK's package is needed and not installed
 */
export async function keySource(
  settings: AwsSettings,
  region: string,
  now: () => number,
  http: HttpClient,
): Promise<KeySource> {
  const { accesskeyid, secretaccesskey, rolearn, externalid } = settings;
  const own = accesskeyid === '' ? undefined : { accessKeyId: accesskeyid, secretAccessKey: secretaccesskey };
  if (own && !rolearn) return { get: async () => own, drop: () => undefined };
  const sdk = await load();
  const clientConfig = { region, requestHandler: sdkHandler(http) };
  const ofRole = () =>
    sdk.fromTemporaryCredentials({
      masterCredentials: own,
      params: {
        RoleArn: rolearn!,
        RoleSessionName: 'tiercel',
        ...(externalid && { ExternalId: externalid }),
      },
      // The second one is for a wrong clock: it is signed by that of STS.
      clientConfig: { ...clientConfig, maxAttempts: 2 },
    });
  const ofChain = () => sdk.fromNodeProviderChain({ clientConfig });
  // A new provider each time: the SDK's keep what they have got, and wait on for an answer that does not come.
  return remembered(() => (rolearn ? ofRole() : ofChain())(), now);
}

/**
 * Asks once for all who wait, and again before the keys expire.
 * @throws RetriableError with reason `auth`, from the source
 */
export function remembered(ask: () => Promise<TimedKeys>, now: () => number): KeySource {
  return createRenewed(async () => {
    try {
      const value = await ask();
      return { value, endsAt: value.expiration?.getTime() ?? Number.POSITIVE_INFINITY };
    } catch (error) {
      // Not the SDK's words: they may quote what a helper program or a token service answered. The cause has them.
      const name = error instanceof Error ? error.name : 'unknown';
      const why = error instanceof RetriableError ? error.message : name;
      throw new RetriableError(`no AWS credentials were found or given (${why})`, {
        reason: 'auth',
        cause: error,
      });
    }
  }, now);
}

/** The region of AWS_DEFAULT_REGION or of the profile; undefined when neither says. */
export async function ambientRegion(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  if (env.AWS_REGION || env.AWS_DEFAULT_REGION) return env.AWS_REGION || env.AWS_DEFAULT_REGION;
  try {
    const { loadConfig, NODE_REGION_CONFIG_FILE_OPTIONS, NODE_REGION_CONFIG_OPTIONS } = await import(
      '@smithy/core/config'
    );
    return await loadConfig(NODE_REGION_CONFIG_OPTIONS, NODE_REGION_CONFIG_FILE_OPTIONS)();
  } catch {
    // No package, no profile, or one without a region.
    return undefined;
  }
}

async function load() {
  try {
    return await import('@aws-sdk/credential-providers');
  } catch (error) {
    throw new PermanentError(
      'the optional package @aws-sdk/credential-providers is not installed; install it, or set accesskeyid and secretaccesskey and no rolearn',
      { reason: 'other', cause: error },
    );
  }
}
