/** Outputs that reach their service through the API server of a cluster. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Output, OutputDefinition } from '../../../src/core/contract.ts';
import { PermanentError } from '../../../src/core/errors.ts';
import { openOutput } from '../../../src/core/host.ts';
import fission from '../../../src/outputs/fission.ts';
import kubeless from '../../../src/outputs/kubeless.ts';
import openfaas from '../../../src/outputs/openfaas.ts';
import { type Certs, makeCerts, serverTls } from '../../support/certs.ts';
import { alertOfRule, instanceOf } from '../../support/delivery.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';
import { recordingLogger } from '../../support/logger.ts';

let dir: string;
let certs: Certs;
let api: HttpSink;
let now = 0;
const opened: Output[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-service-'));
  certs = await makeCerts(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  api = await HttpSink.listen(always(200, '{}'), {
    ...serverTls(certs),
    ca: readFileSync(certs.ca),
    requestCert: true,
    rejectUnauthorized: false,
  });
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(output => output.close?.()));
  await api.close();
});

async function kubeconfig(user: object, cluster: object = { 'certificate-authority': certs.ca }) {
  const file = join(dir, 'kubeconfig');
  const text = JSON.stringify({
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: api.origin, ...cluster } }],
    users: [{ name: 'u', user }],
  });
  await writeFile(file, text);
  return file;
}

async function open(definition: OutputDefinition, config: object): Promise<Output> {
  const output = await openOutput(
    { ...instanceOf(), definition, config: definition.keys.parse(config) as Record<string, unknown> },
    {
      // The wall clock is set back all the time.
      clock: { now: () => -now, monotonic: () => now, random: () => 0.5 },
      log: recordingLogger(),
      env: {},
      outputs: () => [],
      customFields: () => [],
      templatedFields: () => [],
      templateFailed() {},
    },
  );
  opened.push(output);
  return output;
}

const send = (output: Output) => output.send([alertOfRule('r')], { signal: patience(), attempt: 1 });
const base64 = (file: string) => readFileSync(file).toString('base64');

describe('with a kubeconfig', () => {
  test.each<[OutputDefinition, object, string]>([
    [fission, { function: 'f' }, '/api/v1/namespaces/fission/services/router:80/proxy/fission-function/f'],
    [kubeless, { namespace: 'n', function: 'f' }, '/api/v1/namespaces/n/services/f:8080/proxy/'],
    [
      openfaas,
      { functionname: 'f' },
      '/api/v1/namespaces/openfaas/services/gateway:8080/proxy/function/f.openfaas-fn',
    ],
  ])('$name goes through the API server', async (definition, config, path) => {
    const output = await open(definition, {
      ...config,
      kubeconfig: await kubeconfig({ token: 'k8s-token' }),
    });
    await send(output);
    const [request] = api.requests;
    expect(request).toMatchObject({ method: 'POST', target: path });
    expect(request!.headers).toMatchObject({
      authorization: 'Bearer k8s-token',
      'content-type': 'application/json',
      'event-id': JSON.parse(request!.body).uuid,
    });
  });

  test('trusts the authority and shows the certificate that stand in it', async () => {
    const cluster = { 'certificate-authority-data': base64(certs.ca) };
    const user = {
      'client-certificate-data': base64(certs.clientCert),
      'client-key-data': base64(certs.clientKey),
    };
    await send(await open(fission, { function: 'f', kubeconfig: await kubeconfig(user, cluster) }));
    expect(api.requests).toHaveLength(1);
    expect(api.requests[0]!.headers).not.toHaveProperty('authorization');
    const wrong = await kubeconfig(user, { 'certificate-authority-data': base64(certs.otherCa) });
    const untrusted = await open(fission, { function: 'f', kubeconfig: wrong });
    expect(await failureOf(send(untrusted))).toMatchObject({ reason: 'network' });
  });

  test('reads a token file again when its token may have been replaced', async () => {
    const token = join(dir, 'token');
    await writeFile(token, 'first\n');
    const output = await open(fission, {
      function: 'f',
      kubeconfig: await kubeconfig({ tokenFile: 'token' }),
    });
    await send(output);
    await writeFile(token, 'second\n');
    await send(output);
    now += 60_000;
    await send(output);
    await rm(token);
    now += 60_000;
    await send(output);
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual(
      ['first', 'first', 'second', 'second'].map(word => `Bearer ${word}`),
    );
  });

  test('is probed by asking who the API server is', async () => {
    const output = await open(fission, {
      function: 'f',
      kubeconfig: await kubeconfig({ token: 't0ken-mark' }),
    });
    await output.probe?.(patience());
    expect(api.requests[0]).toMatchObject({ method: 'GET', target: '/version' });
    api.reply = always(401, 'no such token: t0ken-mark');
    const error = await failureOf(output.probe!(patience()));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error!.reason).toBe('auth');
    expect(error!.message).not.toContain('t0ken-mark');
  });
});

describe('check', () => {
  const problems = (config: object) => fission.check!(fission.keys.parse(config));

  test('finds a kubeconfig that cannot be used', () => {
    expect(problems({ function: 'f', kubeconfig: '/nowhere' })).toEqual([
      { path: 'kubeconfig', message: 'cannot use this kubeconfig: the file cannot be read (ENOENT)' },
    ]);
  });

  test('finds names that would change the address', () => {
    expect(problems({ function: '../../x', routerservice: 'a b' }).map(({ path }) => path)).toEqual([
      'function',
      'routerservice',
    ]);
  });
});
