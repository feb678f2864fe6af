/**
 * Credentials files of Google Cloud: cloud.google.com/docs/authentication/application-default-credentials. Pure.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { z } from 'zod';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../core/alert/json.ts';
import { flag, keyMeta, secret } from '../../../core/keys.ts';

/** Who asks for a token. */
export type GoogleCredentials = Identity | Impersonated | MetadataServer;

/** Who has something to show for a token. */
export type Identity = ServiceAccount | AuthorizedUser | ExternalAccount;

export interface ServiceAccount {
  type: 'service_account';
  email: string;
  key: KeyObject;
  keyId: string;
  tokenUrl: string;
}

/** A person, as `gcloud auth application-default login` writes it. */
export interface AuthorizedUser {
  type: 'authorized_user';
  clientId: string;
  clientSecret: string;
  refreshToken: string;
  tokenUrl: string;
}

/** Workload identity federation: an identity of another provider. */
export interface ExternalAccount {
  type: 'external_account';
  audience: string;
  subjectTokenType: string;
  tokenUrl: string;
  source: SubjectTokenSource;
}

/** Where the other provider's token is to be had: from a file, or from a URL. */
export interface SubjectTokenSource {
  file: string;
  url: string;
  headers: Record<string, string>;
  /** The member of a JSON answer that holds the token; empty when the token is all there is. */
  field: string;
}

/** A service account for which somebody else may act. */
export interface Impersonated {
  type: 'impersonated';
  /** The method `generateAccessToken` of the account. */
  url: string;
  /** Accounts on the way to it, each of which may act for the next. */
  delegates: string[];
  by: Identity;
}

/** The account that the machine or the pod runs as. */
export interface MetadataServer {
  type: 'metadata';
}

const DEFAULT_TOKEN_URL = 'https://oauth2.googleapis.com/token';

/**
 * Reads the text of a credentials file.
 * @throws Error with a sentence that holds nothing of the file's content
 */
export function parseCredentials(json: string): GoogleCredentials {
  const file = parseObject(json);
  const url = (fallback?: string) => urlOf(file, 'service_account_impersonation_url', fallback);
  if (file.type === 'impersonated_service_account') {
    const source = file.source_credentials;
    if (!isJsonObject(source)) throw new Error('they have no `source_credentials`');
    const delegates = Array.isArray(file.delegates) ? file.delegates.map(textOf) : [];
    return { type: 'impersonated', url: url(), delegates, by: identityOf(source) };
  }
  const identity = identityOf(file);
  if (identity.type !== 'external_account' || url('') === '') return identity;
  return { type: 'impersonated', url: url(), delegates: [], by: identity };
}

function identityOf(file: JsonObject): Identity {
  const tokenUrl = (name: string, fallback?: string) => urlOf(file, name, fallback);
  switch (file.type) {
    case 'service_account':
      return {
        type: 'service_account',
        email: needed(file, 'client_email'),
        key: privateKeyOf(needed(file, 'private_key')),
        keyId: textOf(file.private_key_id),
        tokenUrl: tokenUrl('token_uri', DEFAULT_TOKEN_URL),
      };
    case 'authorized_user':
      return {
        type: 'authorized_user',
        clientId: needed(file, 'client_id'),
        clientSecret: needed(file, 'client_secret'),
        refreshToken: needed(file, 'refresh_token'),
        tokenUrl: tokenUrl('token_uri', DEFAULT_TOKEN_URL),
      };
    case 'external_account':
      return {
        type: 'external_account',
        audience: needed(file, 'audience'),
        subjectTokenType: needed(file, 'subject_token_type'),
        tokenUrl: tokenUrl('token_url'),
        source: sourceOf(file.credential_source),
      };
    default:
      throw new Error(
        'their `type` is none of service_account, authorized_user, external_account and impersonated_service_account',
      );
  }
}

/** The key `gcp.credentials`: the file in base64; its plain text is understood as well. */
export function decodeCredentials(text: string): GoogleCredentials {
  return parseCredentials(
    text.trimStart().startsWith('{') ? text : Buffer.from(text, 'base64').toString('utf8'),
  );
}

function credentialsKey() {
  const plain = secret(
    'Credentials file of a service account or a federated identity in base64 (also taken from the section above for all outputs there). When empty, the application default credentials: the file named by GOOGLE_APPLICATION_CREDENTIALS, that of gcloud, or the metadata server.',
  );
  const checked = plain.refine(isCredentials, { error: 'expected a credentials file in base64' });
  return checked.meta({ ...keyMeta(plain), expected: 'a credentials file in base64' }) as typeof plain;
}

function isCredentials(text: string): boolean {
  try {
    return text === '' || decodeCredentials(text) !== undefined;
  } catch {
    return false;
  }
}

/** The keys that all outputs to Google Cloud share. */
export const GOOGLE_KEYS = {
  credentials: credentialsKey(),
  workloadidentity: flag(
    'Takes the identity of the workload from the metadata server, whatever other credentials there are (also taken from the section above).',
  ),
} satisfies z.ZodRawShape;

/** What the keys give. */
export interface GoogleConfig {
  credentials: string;
  workloadidentity: boolean;
}

function parseObject(json: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's words quote the text.
    throw new Error('they are not JSON');
  }
  if (!isJsonObject(value)) throw new Error('they are not a JSON object');
  return value;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function needed(file: JsonObject, name: string): string {
  const value = textOf(file[name]);
  if (value === '') throw new Error(`they have no \`${name}\``);
  return value;
}

function urlOf(file: JsonObject, name: string, fallback?: string): string {
  const value = textOf(file[name]);
  if (value === '' && fallback !== undefined) return fallback;
  const url = URL.parse(value);
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error(`their \`${name}\` is not a URL`);
  return value;
}

function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error('their `private_key` cannot be read');
  }
}

function sourceOf(value: JsonValue | undefined): SubjectTokenSource {
  const source = isJsonObject(value) ? value : {};
  const format = isJsonObject(source.format) ? source.format : {};
  const headers = isJsonObject(source.headers) ? source.headers : {};
  const found = {
    file: textOf(source.file),
    url: textOf(source.url),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [name.toLowerCase(), textOf(header)]),
    ),
    field: format.type === 'json' ? textOf(format.subject_token_field_name) : '',
  };
  if (textOf(source.environment_id) !== '' || (found.file === '') === (found.url === '')) {
    throw new Error('their `credential_source` is neither a `file` nor a `url`');
  }
  return found;
}
