/** Tokens for Google's APIs: what is asked for them, and when. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConnectionConfig } from '../../../src/core/config/types.ts';
import type { ServerTls } from '../../../src/core/contract.ts';
import { RetriableError } from '../../../src/core/errors.ts';
import { openGoogle } from '../../../src/outputs/_kit/google/client.ts';
import { GOOGLE_KEYS } from '../../../src/outputs/_kit/google/credentials.ts';
import { clientOf, closeClients, failureOf, patience } from '../../support/http-client.ts';
import { answer, HttpSink, type Received } from '../../support/http-sink.ts';
import { freePort } from '../../support/services/process.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
const HOUR = 3_600_000;
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

let dir: string;
let sink: HttpSink;
let now: number;
/** Status of the next answers of the token service and of the API; 200 when there are none left. */
let tokenStatus: number[];
let apiStatus: number[];
let given: number;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-google-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  [now, given, tokenStatus, apiStatus] = [START, 0, [], []];
  sink = await HttpSink.listen((request, socket) => {
    if (request.target === '/api') return void socket.write(answer(apiStatus.shift() ?? 200, '{}'));
    if (request.target === '/subject') return void socket.write(answer(200, '{"jwt":"subject-1"}'));
    const status = tokenStatus.shift() ?? 200;
    const token = `token-${++given}`;
    const impersonated = { accessToken: token, expireTime: new Date(now + HOUR).toISOString() };
    const plain = { access_token: token, expires_in: 3600, token_type: 'Bearer' };
    const granted = JSON.stringify(request.target.startsWith('/impersonate') ? impersonated : plain);
    socket.write(answer(status, status === 200 ? granted : `refused: ${request.body}`));
  });
});
afterEach(async () => {
  await closeClients();
  await sink.close();
});

const accountFile = () => ({
  type: 'service_account',
  client_email: 'falco@p1.example',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  private_key_id: 'k1',
  token_uri: `${sink.origin}/token`,
});
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64');

const hostOf = (connection: Partial<ConnectionConfig> = {}) => ({
  http: clientOf(connection),
  connect: (tls: ServerTls) => clientOf({ ...connection, ...tls }),
  tls: { verify: true },
  clock: { now: () => now, monotonic: () => performance.now(), random: () => 0.5 },
});

function open(
  config: { credentials?: string; workloadidentity?: boolean },
  env: Record<string, string> = {},
  connection: Partial<ConnectionConfig> = {},
) {
  const metadata = { GCE_METADATA_HOST: new URL(sink.origin).host, HOME: dir };
  const settings = { credentials: '', workloadidentity: false, ...config };
  const google = openGoogle('https://api.example', settings, hostOf(connection), { ...metadata, ...env });
  const request = { method: 'POST' as const, url: `${sink.origin}/api`, headers: {}, body: '{}' };
  return (signal = patience()) => google.send(request, signal);
}

const calls = () =>
  sink.requests.filter(({ target }) => target === '/api').map(({ headers }) => headers.authorization);
const asked = () => sink.requests.filter(({ target }) => target !== '/api');
const formOf = (request: Received | undefined) => Object.fromEntries(new URLSearchParams(request?.body));

describe('a service account', () => {
  test('shows a signed statement for a token', async () => {
    await open({ credentials: base64(accountFile()) })();
    const [request] = asked();
    const { grant_type, assertion } = formOf(request);
    expect(request).toMatchObject({
      method: 'POST',
      target: '/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(grant_type).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    const [head = '', claims = '', signature = ''] = assertion!.split('.');
    const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
    expect(read(head)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
    expect(read(claims)).toEqual({
      iss: 'falco@p1.example',
      scope: 'https://www.googleapis.com/auth/cloud-platform',
      aud: `${sink.origin}/token`,
      iat: START / 1000,
      exp: START / 1000 + 3600,
    });
    const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }));
    expect(
      verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url')),
    ).toBe(true);
    expect(calls()).toEqual(['Bearer token-1']);
  });

  test('is asked for once, by however many at once, and again before the token ends', async () => {
    const send = open({ credentials: base64(accountFile()) });
    await Promise.all([send(), send(), send()]);
    now += HOUR - 5 * 60_000 - 1;
    await send();
    expect(asked()).toHaveLength(1);
    now += 1;
    await send();
    expect(asked()).toHaveLength(2);
    expect(calls().at(-1)).toBe('Bearer token-2');
  });

  test('uses the old token for as long as it lasts when there is no new one', async () => {
    const send = open({ credentials: base64(accountFile()) });
    await send();
    tokenStatus = [503, 503];
    now += HOUR - 60_000;
    await send();
    await send();
    expect(calls()).toEqual(Array(3).fill('Bearer token-1'));
    expect(asked()).toHaveLength(2);
    now += 60_000;
    expect(await failureOf(send())).toMatchObject({ reason: 'server_error' });
    await send();
    expect(calls().at(-1)).toMatch(/^Bearer token-4$/);
  });

  test('gets a new token when the API no longer takes the one it had', async () => {
    const send = open({ credentials: base64(accountFile()) });
    await send();
    apiStatus = [401];
    expect(await send()).toMatchObject({ status: 200 });
    expect(calls()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
    apiStatus = [401, 401];
    expect(await send()).toMatchObject({ status: 401 });
  });

  test.each([400, 401, 403])(
    'that is refused with %i may be let in later, and its secrets stay here',
    async status => {
      tokenStatus = [status];
      const send = open({ credentials: base64(accountFile()) });
      const error = await failureOf(send());
      expect(error).toBeInstanceOf(RetriableError);
      expect(error).toMatchObject({ reason: 'auth' });
      expect(error!.message).toContain(`no access token: answered ${status}`);
      expect(error!.message).not.toContain(formOf(asked()[0]).assertion);
      expect(calls()).toEqual([]);
      await send();
      expect(calls()).toEqual(['Bearer token-2']);
    },
  );

  test('keeps nobody waiting who was told to stop', async () => {
    sink.reply = () => {};
    const caller = new AbortController();
    const sent = failureOf(open({ credentials: base64(accountFile()) })(caller.signal));
    await sink.until(() => sink.requests.length > 0);
    caller.abort();
    expect(await sent).toMatchObject({ reason: 'timeout' });
  });

  test('never goes over plain HTTP', async () => {
    const config = { credentials: base64(accountFile()), workloadidentity: false };
    const google = openGoogle(sink.origin, config, hostOf(), {});
    await google.send({ method: 'GET', url: `${sink.origin}/api`, headers: {}, body: undefined }, patience());
    expect(calls()).toEqual([undefined]);
    expect(asked()).toEqual([]);
  });
});

describe('other identities', () => {
  test('a person has a refresh token', async () => {
    const file = {
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 's3cret-client',
      refresh_token: 's3cret-refresh',
    };
    // Google's own address stands in for the missing one; here it has to be the sink's.
    await open({ credentials: base64({ ...file, token_uri: `${sink.origin}/token` }) })();
    expect(formOf(asked()[0])).toEqual({
      grant_type: 'refresh_token',
      client_id: 'id',
      client_secret: 's3cret-client',
      refresh_token: 's3cret-refresh',
    });
  });

  test('a federated one trades its own token, then becomes a service account', async () => {
    const file = {
      type: 'external_account',
      audience: '//iam.googleapis.com/pool',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${sink.origin}/sts`,
      service_account_impersonation_url: `${sink.origin}/impersonate`,
      credential_source: {
        url: `${sink.origin}/subject`,
        headers: { 'X-Who': 'me' },
        format: { type: 'json', subject_token_field_name: 'jwt' },
      },
    };
    await open({ credentials: base64(file) })();
    const [subject, sts, impersonate] = asked();
    expect(subject).toMatchObject({ method: 'GET', headers: { 'x-who': 'me' } });
    expect(formOf(sts)).toMatchObject({ audience: file.audience, subject_token: 'subject-1' });
    expect(impersonate).toMatchObject({ headers: { authorization: 'Bearer token-1' } });
    expect(JSON.parse(impersonate!.body)).toMatchObject({ lifetime: '3600s' });
    expect(calls()).toEqual(['Bearer token-2']);
  });

  test('a person who may act for a service account does, as gcloud writes it', async () => {
    const file = {
      type: 'impersonated_service_account',
      delegates: ['projects/-/serviceAccounts/between@p1.example'],
      service_account_impersonation_url: `${sink.origin}/impersonate`,
      source_credentials: {
        type: 'authorized_user',
        client_id: 'id',
        client_secret: 's3cret-client',
        refresh_token: 's3cret-refresh',
        token_uri: `${sink.origin}/token`,
      },
    };
    await open({ credentials: base64(file) })();
    const [person, impersonate] = asked();
    expect(formOf(person)).toMatchObject({ grant_type: 'refresh_token', refresh_token: 's3cret-refresh' });
    expect(impersonate).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer token-1' } });
    expect(JSON.parse(impersonate!.body)).toEqual({
      scope: ['https://www.googleapis.com/auth/cloud-platform'],
      lifetime: '3600s',
      delegates: file.delegates,
    });
    expect(calls()).toEqual(['Bearer token-2']);
  });

  test('a federated one with a token in a file acts for itself where it is told of no account', async () => {
    const token = join(dir, 'subject-token');
    const file = {
      type: 'external_account',
      audience: '//iam.googleapis.com/pool',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${sink.origin}/sts`,
      credential_source: { file: token },
    };
    const send = open({ credentials: base64(file) });
    expect(await failureOf(send())).toMatchObject({ name: 'RetriableError', reason: 'auth' });
    // Kubernetes replaces the file as the token ends.
    for (const [round, text] of ['subject-1\n', 'subject-2\n'].entries()) {
      await writeFile(token, text);
      await send();
      expect(formOf(asked()[round])).toEqual({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        audience: file.audience,
        scope: 'https://www.googleapis.com/auth/cloud-platform',
        subject_token: text.trim(),
        subject_token_type: file.subject_token_type,
      });
      expect(calls().at(-1)).toBe(`Bearer token-${round + 1}`);
      now += HOUR;
    }
  });

  test('without credentials it is the file of the environment, read anew each time, else the metadata server', async () => {
    const file = join(dir, 'adc.json');
    const send = open({}, { GOOGLE_APPLICATION_CREDENTIALS: file });
    expect(await failureOf(send())).toMatchObject({
      reason: 'auth',
      message: 'cannot use the Google credentials: the file cannot be read (ENOENT)',
    });
    await writeFile(file, JSON.stringify(accountFile()));
    await send();
    expect(asked().map(({ target }) => target)).toEqual(['/token']);
    await open({})();
    expect(asked()[1]).toMatchObject({ method: 'GET', headers: { 'metadata-flavor': 'Google' } });
    expect(asked()[1]!.target).toMatch(
      /^\/computeMetadata\/v1\/instance\/service-accounts\/default\/token\?scopes=/,
    );
  });

  test('workloadidentity goes before all others', async () => {
    await open({ credentials: base64(accountFile()), workloadidentity: true })();
    expect(asked()[0]!.target).toContain('/computeMetadata/');
  });
});

describe('what the settings add for the destination', () => {
  const headers = { 'X-Gateway-Key': 'g4teway-s3cret', Authorization: 'Basic b3duOnMzY3JldA==' };

  test('its headers do not go to the token service', async () => {
    await open({ credentials: base64(accountFile()) }, {}, { headers })();
    expect(asked()[0]!.headers).not.toHaveProperty('x-gateway-key');
    expect(asked()[0]!.headers).not.toHaveProperty('authorization');
    expect(sink.requests.at(-1)!.headers).toMatchObject({ 'x-gateway-key': 'g4teway-s3cret' });
  });

  test('no proxy sees the token of the metadata server', async () => {
    const proxy = await HttpSink.listen((_request, socket) => void socket.write(answer(200, '{}')));
    try {
      await open({ workloadidentity: true }, {}, { proxy: proxy.origin, headers })();
      expect(asked().map(({ headers }) => Object.keys(headers).sort())).toEqual([
        ['connection', 'host', 'metadata-flavor'],
      ]);
      expect(proxy.requests).toHaveLength(1);
      expect(proxy.requests[0]!.target).toContain('/api');
    } finally {
      await proxy.close();
    }
  });

  test('a metadata server that is not there is told of', async () => {
    const nobody = { GCE_METADATA_HOST: `127.0.0.1:${await freePort()}` };
    expect(await failureOf(open({}, nobody)())).toMatchObject({
      name: 'RetriableError',
      reason: 'network',
      message: 'no access token: no server takes the connection',
    });
  });
});

describe('the key credentials', () => {
  const IMPERSONATION = { service_account_impersonation_url: 'https://x.example/a:generateAccessToken' };
  const takes = (text: string) => GOOGLE_KEYS.credentials.safeParse(text).success;
  test('takes a file, in base64 or plain, and nothing', () => {
    expect(takes('')).toBe(true);
    expect(takes(base64(accountFile()))).toBe(true);
    expect(takes(JSON.stringify(accountFile()))).toBe(true);
  });

  test.each<[string, object]>([
    ['another type', { type: 'gdch_service_account' }],
    ['a key that is none', { ...{ type: 'service_account', client_email: 'a', private_key: 'x' } }],
    ['no account', { type: 'service_account' }],
    ['nobody who acts', { type: 'impersonated_service_account', ...IMPERSONATION }],
    [
      'one who acts for one who acts',
      {
        type: 'impersonated_service_account',
        ...IMPERSONATION,
        source_credentials: { type: 'impersonated_service_account', ...IMPERSONATION },
      },
    ],
    [
      'an unknown source',
      { type: 'external_account', audience: 'a', subject_token_type: 't', token_url: 'https://x' },
    ],
  ])('refuses %s', (_name, file) => {
    expect(takes(base64(file))).toBe(false);
  });

  test('refuses what is no file', () => expect(takes('S3ntinel')).toBe(false));
});
