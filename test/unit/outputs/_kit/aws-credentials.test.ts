/** Where AWS credentials come from, against doubles of the services that give them out. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { OutputDefinition } from '../../../../src/core/contract.ts';
import { RetriableError } from '../../../../src/core/errors.ts';
import { ambientRegion, keySource } from '../../../../src/outputs/_kit/aws/credentials.ts';
import kinesis from '../../../../src/outputs/aws-kinesis.ts';
import { type AwsIdentities, serveIdentities } from '../../../support/aws-identities.ts';
import { configOf, openAgainst } from '../../../support/contract.ts';
import { clientOf, closeClients, patience } from '../../../support/http-client.ts';
import { HttpProxy } from '../../../support/http-proxy.ts';
import { always, HttpSink } from '../../../support/http-sink.ts';
import { hostOf, openOutput } from '../../../support/services/drive.ts';
import { scratch } from '../../../support/services/process.ts';
import { numbered } from '../../../support/spool.ts';

const ROLE = 'arn:aws:iam::123456789012:role/falco';
const OWN = { accesskeyid: 'AKIDOWN', secretaccesskey: 'own-secret' };
const NONE = { accesskeyid: '', secretaccesskey: '' };

let identities: AwsIdentities;
let folder: Awaited<ReturnType<typeof scratch>>;

beforeEach(async () => {
  folder = await scratch('aws-credentials');
  identities = await serveIdentities({
    role: ROLE,
    externalId: 'external',
    webToken: 'web-token',
    podToken: 'pod-token',
  });
  for (const name of Object.keys(process.env).filter(key => key.startsWith('AWS_')))
    vi.stubEnv(name, undefined);
  // Files of nobody: those of whoever runs the tests are not looked at.
  vi.stubEnv('AWS_CONFIG_FILE', join(folder.path, 'config'));
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder.path, 'credentials'));
  vi.stubEnv('AWS_ENDPOINT_URL_STS', identities.origin);
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', identities.origin);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await identities.close();
  await folder.remove();
});

const keysOf = async (settings: object) => {
  const keys = await keySource({ region: '', ...NONE, ...settings }, 'eu-west-1', Date.now, clientOf());
  expect(identities.asked).toEqual([]);
  return keys.get();
};
const file = async (name: string, text: string) => {
  const path = join(folder.path, name);
  await writeFile(path, text);
  return path;
};

describe('a role', () => {
  test('is assumed with the keys of the settings', async () => {
    const keys = await keysOf({ ...OWN, rolearn: ROLE, externalid: 'external' });
    expect(keys).toMatchObject({ accessKeyId: 'STS1', sessionToken: 'temporary-token' });
    expect(identities.asked).toEqual(['AssumeRole by AKIDOWN']);
  });

  test('is assumed by the clock of STS where ours is wrong', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    const refusal =
      '<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>';
    const sink = await HttpSink.listen(always(403, refusal, { date, 'content-type': 'text/xml' }));
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sink.origin);
    await expect(keysOf({ ...OWN, rolearn: ROLE, externalid: 'external' })).rejects.toBeInstanceOf(
      RetriableError,
    );
    const [first, second] = sink.requests.map(({ headers }) => headers['x-amz-date']);
    expect(second?.slice(0, 11)).toSatisfy((hour: string) => hour > first!.slice(0, 11));
    await closeClients();
    await sink.close();
  });

  test('is assumed with what the chain gives', async () => {
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${identities.origin}/pod`);
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'pod-token');
    expect(await keysOf({ rolearn: ROLE, externalid: 'external' })).toMatchObject({ accessKeyId: 'STS1' });
    expect(identities.asked).toEqual(['GET /pod', 'AssumeRole by POD1']);
  });

  test('is assumed anew after a question that was never answered', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('token', 'web-token'));
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    for (const settings of [NONE, { ...OWN, rolearn: ROLE, externalid: 'external' }]) {
      const keys = await keySource({ region: '', ...settings }, 'eu-west-1', Date.now, clientOf());
      identities.asked.length = 0;
      identities.isSilent = true;
      const asked = [keys.get(), keys.get()].map(waiting => waiting.catch(failure => failure));
      await expect.poll(() => identities.asked).toHaveLength(1);
      vi.advanceTimersByTime(20_000);
      for (const error of await Promise.all(asked))
        expect(error).toMatchObject({ name: 'RetriableError', message: expect.stringContaining('20 s') });
      identities.isSilent = false;
      expect(await keys.get()).toMatchObject({ sessionToken: 'temporary-token' });
    }
  });

  test('is assumed anew when a service says that the keys have ended', async () => {
    const sink = await HttpSink.listen(always(400, '{"__type":"ExpiredTokenException"}'));
    const definition = kinesis as OutputDefinition;
    const config = configOf(definition, {
      ...definition.example,
      ...OWN,
      rolearn: ROLE,
      externalid: 'external',
      checkidentity: false,
    });
    const { output } = await openAgainst(definition, sink, { config });
    const send = () => output.send([numbered(1)], { signal: patience(), attempt: 1 });
    await expect(send()).rejects.toMatchObject({ name: 'RetriableError', reason: 'auth' });
    sink.reply = always(200, '{}');
    await send();
    await send();
    const signers = sink.requests.map(
      ({ headers }) => /Credential=([^/]+)/.exec(headers.authorization!)?.[1],
    );
    expect(signers).toEqual(['STS1', 'STS2', 'STS2']);
    await output.close!();
    await closeClients();
    await sink.close();
  });

  test('that may not be assumed is told as such, and nothing of the answer', async () => {
    const error = await keysOf({ ...OWN, rolearn: ROLE, externalid: 'wrong' }).catch(failure => failure);
    expect(error).toBeInstanceOf(RetriableError);
    expect(error).toMatchObject({ reason: 'auth', message: expect.stringContaining('AccessDenied') });
    expect(error.message).not.toContain('S3cret');
  });
});

describe('through a proxy', () => {
  test.each([
    ['a role', { ...OWN, rolearn: ROLE, externalid: 'external' }],
    ['a web identity', NONE],
  ])('%s is asked for', async (_name, settings) => {
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('token', 'web-token'));
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://sts.test');
    const proxy = await HttpProxy.listen({ port: Number(new URL(identities.origin).port) });
    const http = clientOf({ proxy: `http://${proxy.host}` });
    const keys = await keySource({ region: '', ...settings }, 'eu-west-1', Date.now, http);
    expect(await keys.get()).toMatchObject({ sessionToken: 'temporary-token' });
    expect(proxy.asked.map(({ line }) => line)).toEqual(['POST http://sts.test/']);
    await closeClients();
    await proxy.close();
  });
});

describe('without keys in the settings', () => {
  test('the environment comes first', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDENV');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'x');
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${identities.origin}/pod`);
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'AKIDENV' });
    expect(identities.asked).toEqual([]);
  });

  test('the profile that AWS_PROFILE names', async () => {
    await file('credentials', '[soc]\naws_access_key_id = AKIDSOC\naws_secret_access_key = x\n');
    await file('config', '[profile soc]\nregion = eu-north-1\n');
    vi.stubEnv('AWS_PROFILE', 'soc');
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'AKIDSOC' });
    expect(await ambientRegion()).toBe('eu-north-1');
  });

  test('a profile with a role of its own', async () => {
    await file('credentials', '[base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n');
    await file(
      'config',
      `[profile role]\nrole_arn = ${ROLE}\nsource_profile = base\nexternal_id = external\nregion = eu-west-1\n`,
    );
    vi.stubEnv('AWS_PROFILE', 'role');
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'STS1' });
    expect(identities.asked).toEqual(['AssumeRole by AKIDBASE']);
  });

  test('the token of a Kubernetes service account (IRSA)', async () => {
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', await file('token', 'web-token'));
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'WEB1', sessionToken: 'temporary-token' });
    expect(identities.asked).toEqual(['AssumeRoleWithWebIdentity']);
  });

  test('the identity of a pod or of a container task', async () => {
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${identities.origin}/pod`);
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', await file('pod', 'pod-token'));
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'POD1' });
    expect(identities.asked).toEqual(['GET /pod']);
  });

  test('the role of the instance', async () => {
    expect(await keysOf({})).toMatchObject({ accessKeyId: 'IMDS1' });
    const path = '/latest/meta-data/iam/security-credentials/';
    expect(identities.asked).toEqual(['PUT /latest/api/token', `GET ${path}`, `GET ${path}node-role`]);
  });
});

test('an output opens without asking anybody who it is', async () => {
  const config = { streamname: 'falco', region: 'eu-west-1', rolearn: ROLE, checkidentity: false };
  const output = await openOutput(kinesis, config, hostOf());
  await output.close!();
  expect(identities.asked).toEqual([]);
});
