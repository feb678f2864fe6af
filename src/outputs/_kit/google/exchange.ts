/** How credentials become an access token: developers.google.com/identity/protocols/oauth2/service-account. */
import { sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { HttpClient, HttpRequest, HttpResponse } from '../../../core/contract.ts';
import { RetriableError } from '../../../core/errors.ts';
import { answeredObject } from '../answer.ts';
import type { AccessToken } from '../bearer.ts';
import { judge } from '../http.ts';
import { metadataClient } from '../token-service.ts';
import type {
  AuthorizedUser,
  ExternalAccount,
  GoogleCredentials,
  Impersonated,
  ServiceAccount,
} from './credentials.ts';

export interface ExchangeContext {
  /** For token services, see `openTokenService`. */
  http: HttpClient;
  /** Milliseconds since the epoch. */
  now: number;
  signal: AbortSignal;
  /** Host, or host and port, of the metadata server. */
  metadataHost: string;
}

/** Where the metadata servers of other clouds are. */
const LINK_LOCAL = '169.254.169.254';

const SECOND = 1000;
/** The longest that Google takes. */
const LIFETIME_SECONDS = 3600;
const PLATFORM_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/**
 * Asks for a token.
 * @throws RetriableError: somebody may give the account its right back, or mend the file
 */
export function exchange(
  credentials: GoogleCredentials,
  scope: string,
  context: ExchangeContext,
): Promise<AccessToken> {
  switch (credentials.type) {
    case 'service_account':
      return fromServiceAccount(credentials, scope, context);
    case 'authorized_user':
      return fromUser(credentials, context);
    case 'external_account':
      return fromFederation(credentials, scope, context);
    case 'impersonated':
      return fromImpersonation(credentials, scope, context);
    case 'metadata':
      return fromMetadata(scope, context);
  }
}

/** The signed statement that a service account shows for a token. Pure. */
export function toAssertion(account: ServiceAccount, scope: string, now: number): string {
  const issued = Math.floor(now / SECOND);
  const header = { alg: 'RS256', typ: 'JWT', ...(account.keyId !== '' && { kid: account.keyId }) };
  const claims = {
    iss: account.email,
    scope,
    aud: account.tokenUrl,
    iat: issued,
    exp: issued + LIFETIME_SECONDS,
  };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const statement = `${encode(header)}.${encode(claims)}`;
  return `${statement}.${sign('RSA-SHA256', Buffer.from(statement), account.key).toString('base64url')}`;
}

async function fromServiceAccount(account: ServiceAccount, scope: string, context: ExchangeContext) {
  const assertion = toAssertion(account, scope, context.now);
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion };
  return readToken(await ask(postForm(account.tokenUrl, form), context, [assertion]));
}

async function fromUser(user: AuthorizedUser, context: ExchangeContext) {
  const form = {
    grant_type: 'refresh_token',
    client_id: user.clientId,
    client_secret: user.clientSecret,
    refresh_token: user.refreshToken,
  };
  const secrets = [user.clientSecret, user.refreshToken];
  return readToken(await ask(postForm(user.tokenUrl, form), context, secrets));
}

/** cloud.google.com/iam/docs/workload-identity-federation-with-other-providers. */
async function fromFederation(account: ExternalAccount, scope: string, context: ExchangeContext) {
  const subject = await subjectToken(account, context);
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: account.audience,
    scope,
    subject_token: subject,
    subject_token_type: account.subjectTokenType,
  };
  return readToken(await ask(postForm(account.tokenUrl, form), context, [subject]));
}

/** cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken. */
async function fromImpersonation(account: Impersonated, scope: string, context: ExchangeContext) {
  const { text } = await exchange(account.by, PLATFORM_SCOPE, context);
  const { delegates } = account;
  const wanted = { scope: [scope], lifetime: `${LIFETIME_SECONDS}s` };
  const request: HttpRequest = {
    method: 'POST',
    url: account.url,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${text}` },
    body: JSON.stringify(delegates.length > 0 ? { ...wanted, delegates } : wanted),
    setup: true,
  };
  const { accessToken, expireTime } = answeredObject((await ask(request, context)).body);
  const lifetime = Date.parse(String(expireTime)) - context.now;
  return checked(accessToken, Number.isNaN(lifetime) ? LIFETIME_SECONDS * SECOND : lifetime);
}

async function subjectToken({ source }: ExternalAccount, context: ExchangeContext): Promise<string> {
  let text: string;
  if (source.file === '') {
    const http = new URL(source.url).hostname === LINK_LOCAL ? metadataClient : context.http;
    text = (await ask(get(source.url, source.headers), { ...context, http })).body;
  } else {
    text = await readFile(source.file, 'utf8').catch(error => {
      throw new RetriableError('the token file of the federated identity cannot be read', {
        reason: 'auth',
        cause: error,
      });
    });
  }
  const token = source.field === '' ? text.trim() : answeredObject(text)[source.field];
  return checked(token, 0).text;
}

/** cloud.google.com/compute/docs/access/authenticate-workloads#applications. */
async function fromMetadata(scope: string, context: ExchangeContext) {
  const path = '/computeMetadata/v1/instance/service-accounts/default/token';
  const url = `http://${context.metadataHost}${path}?scopes=${encodeURIComponent(scope)}`;
  const request = get(url, { 'metadata-flavor': 'Google' });
  return readToken(await ask(request, { ...context, http: metadataClient }));
}

function get(url: string, headers: Record<string, string>): HttpRequest {
  return { method: 'GET', url, headers, body: undefined, setup: true };
}

function postForm(url: string, form: Record<string, string>): HttpRequest {
  return {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
    setup: true,
  };
}

async function ask(
  request: HttpRequest,
  { http, now, signal }: ExchangeContext,
  secrets: readonly string[] = [],
): Promise<HttpResponse> {
  try {
    const response = await http.send(request, signal);
    judge(response, now, secrets);
    return response;
  } catch (error) {
    const { reason = 'auth', retryAfterMs } = error instanceof RetriableError ? error : {};
    const told = error instanceof Error ? error.message : 'no answer';
    throw new RetriableError(`no access token: ${told}`, { reason, retryAfterMs, cause: error });
  }
}

function readToken({ body }: HttpResponse): AccessToken {
  const { access_token, expires_in } = answeredObject(body);
  const seconds = Number(expires_in);
  return checked(access_token, (seconds > 0 ? seconds : LIFETIME_SECONDS) * SECOND);
}

/** A token goes into a header: nothing but what may stand there. */
function checked(token: unknown, lifetimeMs: number): AccessToken {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return { text: token, lifetimeMs };
  throw new RetriableError('no access token: the answer holds none', { reason: 'auth' });
}
