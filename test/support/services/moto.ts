/** moto: services of AWS in one process, read back over their own protocols. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openGate } from './gate.ts';
import { answersOk } from './http.ts';
import { cacheFolder, freePorts, launch, type Running, scratch } from './process.ts';

/** The version that scripts/services.sh fetches. */
const VERSION = '5.2.5';
const folder = join(cacheFolder(), `moto-${VERSION}`);

export const REGION = 'eu-west-1';

/** Why there is no moto; undefined when there is one. */
export function missingMoto(): string | undefined {
  return existsSync(join(folder, 'complete')) ? undefined : `moto ${VERSION} is not there`;
}

export interface Moto {
  origin: string;
  /** Calls an operation of a service that takes JSON, `Kinesis_20131202.CreateStream`. */
  call<T>(service: string, target: string, input: unknown): Promise<T>;
  /** Calls an operation of IAM; the answer is XML. */
  iam(action: string, parameters: Record<string, string>): Promise<string>;
  createBucket(name: string): Promise<void>;
  /** What a GET of S3 gives. @throws Error with the answer when the status is not 2xx */
  getS3(path: string): Promise<Buffer>;
  /** From now on signatures are checked. */
  enforceSignatures(): Promise<void>;
  stop(): Promise<void>;
  /** Starts it on the same port, with what it held: everything asked of it so far is asked again. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

export async function startMoto(): Promise<Moto> {
  const [port, innerPort] = (await freePorts(2)) as [number, number];
  const origin = `http://127.0.0.1:${port}`;
  const inner = `http://127.0.0.1:${innerPort}`;
  const place = await scratch('moto');
  const recording = join(place.path, 'requests');
  let running: Running | undefined;
  let gate: Awaited<ReturnType<typeof openGate>> | undefined;
  let started = 0;

  const admin = async (path: string, body?: string) => {
    const response = await fetch(`${inner}/moto-api/${path}`, { method: 'POST', body });
    if (!response.ok) throw new Error(`moto answered ${response.status} to ${path}`);
  };
  /** Looks signed, which tells moto the service; whether the signature is right it does not ask. */
  const headersOf = (service: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const send = async (service: string, path: string, init: RequestInit) => {
    const headers = { ...headersOf(service), ...(init.headers as Record<string, string>) };
    const response = await fetch(`${origin}${path}`, { ...init, headers });
    const body = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw new Error(`${service}: ${response.status}: ${body}`);
    return body;
  };

  const moto: Moto = {
    origin,
    async call<T>(service: string, target: string, input: unknown) {
      const version = service === 'sqs' ? '1.0' : '1.1';
      const headers = { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target };
      const answer = await send(service, '/', { method: 'POST', headers, body: JSON.stringify(input) });
      return (answer.length === 0 ? {} : JSON.parse(answer.toString())) as T;
    },
    async iam(action, parameters) {
      const body = new URLSearchParams({ Action: action, Version: '2010-05-08', ...parameters });
      return (await send('iam', '/', { method: 'POST', body })).toString();
    },
    async createBucket(name) {
      const body = `<CreateBucketConfiguration><LocationConstraint>${REGION}</LocationConstraint></CreateBucketConfiguration>`;
      await send('s3', `/${name}`, { method: 'PUT', body });
    },
    getS3: path => send('s3', path, { method: 'GET' }),
    enforceSignatures: () => admin('reset-auth', '0'),
    async stop() {
      await running?.stop('SIGKILL');
      await gate?.shut();
    },
    async start() {
      running = await launch({
        command: join(folder, 'bin', 'moto_server'),
        args: ['-H', '127.0.0.1', '-p', String(innerPort)],
        env: {
          AWS_ACCESS_KEY_ID: 'test',
          AWS_SECRET_ACCESS_KEY: 'test',
          MOTO_ENABLE_RECORDING: 'true',
          MOTO_RECORDER_FILEPATH: recording,
          MOTO_PORT: String(innerPort),
        },
        ready: () => answersOk(`${inner}/moto-api/data.json`),
        withinMs: 60_000,
      });
      if (started++ > 0) await admin('recorder/replay-recording', JSON.stringify({ target_host: inner }));
      gate = await openGate(port, innerPort);
    },
    async remove() {
      await moto.stop();
      await place.remove();
    },
  };
  await moto.start();
  return moto;
}
