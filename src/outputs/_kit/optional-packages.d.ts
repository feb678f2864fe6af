/**
 * What is used of the optional packages. Their own types are not there where npm leaves the packages out: with
 * --omit=optional, or under a Node.js that they do not support.
 */

declare module '@aws-sdk/credential-providers' {
  interface AwsCredentials {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
    expiration?: Date;
  }
  type Provider = () => Promise<AwsCredentials>;
  export function fromTemporaryCredentials(options: {
    masterCredentials: AwsCredentials | undefined;
    params: { RoleArn: string; RoleSessionName: string; ExternalId?: string };
    clientConfig: { region: string; maxAttempts: number };
  }): Provider;
  export function fromNodeProviderChain(options: { clientConfig: { region: string } }): Provider;
}

declare module '@smithy/core/config' {
  export const NODE_REGION_CONFIG_OPTIONS: object;
  export const NODE_REGION_CONFIG_FILE_OPTIONS: object;
  export function loadConfig(what: object, options: object): () => Promise<string>;
}

declare module '@azure/identity' {
  export interface AccessToken {
    token: string;
    /** Milliseconds since the epoch. */
    expiresOnTimestamp: number;
  }
  export interface TokenCredential {
    getToken(scope: string, options: { abortSignal: AbortSignal }): Promise<AccessToken | null>;
  }
  export class DefaultAzureCredential implements TokenCredential {
    getToken(scope: string, options: { abortSignal: AbortSignal }): Promise<AccessToken | null>;
  }
}
