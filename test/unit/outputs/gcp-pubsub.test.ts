/** Google Pub/Sub: what is published, over HTTP and to an emulator; and Cloud Functions. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import { RetriableError } from '../../../src/core/errors.ts';
import { decode } from '../../../src/outputs/_kit/protobuf.ts';
import functions from '../../../src/outputs/gcp-cloudfunctions.ts';
import pubsub from '../../../src/outputs/gcp-pubsub/index.ts';
import { configOf, openAgainst } from '../../support/contract.ts';
import { answerCall, type Call, serveGrpc } from '../../support/grpc-server.ts';
import { closeClients, failureOf, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';
import { falcoAlerts } from '../../support/services/alerts.ts';
import { hostOf, openOutput, trySend } from '../../support/services/drive.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await closeClients();
  for (const clean of cleanup.splice(0)) await clean();
});

async function sinkOf(status: number, body: string) {
  const sink = await HttpSink.listen(always(status, body));
  cleanup.push(() => sink.close());
  return sink;
}

describe('pubsub', () => {
  const config = { projectid: 'p', topic: 't', customattributes: { team: 'soc', url: 'https://x:1' } };

  test('a batch is one request of as many messages with the attributes', async () => {
    const sink = await sinkOf(200, '{"messageIds":["1","2","3"]}');
    const definition = pubsub as OutputDefinition;
    const { output } = await openAgainst(definition, sink, { config: configOf(definition, config) });
    const alerts = falcoAlerts(3);
    await output.send(alerts, { signal: patience(), attempt: 1 });
    const { messages } = JSON.parse(sink.requests[0]!.body);
    expect(sink.requests).toHaveLength(1);
    expect(sink.requests[0]!.target).toBe('/v1/projects/p/topics/t:publish');
    expect(messages).toEqual(
      alerts.map(({ bytes }) => ({
        data: bytes.toString('base64'),
        attributes: { team: 'soc', url: 'https://x:1' },
      })),
    );
  });

  test('an emulator is spoken to over gRPC, without credentials', async () => {
    const calls: Call[] = [];
    const server = await serveGrpc(call => {
      calls.push(call);
      answerCall(call);
    });
    cleanup.push(() => server.close());
    vi.stubEnv('PUBSUB_EMULATOR_HOST', `127.0.0.1:${server.port}`);
    const output = await openOutput(pubsub, config, hostOf());
    cleanup.push(() => output.close!());
    const alerts = falcoAlerts(2);
    await trySend(output, alerts);
    expect(calls[0]!.headers).toMatchObject({ ':path': '/google.pubsub.v1.Publisher/Publish' });
    expect(calls[0]!.headers).not.toHaveProperty('authorization');
    const entry = { key: { number: 1, type: 'string' }, value: { number: 2, type: 'string' } } as const;
    const message = {
      data: { number: 1, type: 'bytes' },
      attributes: { number: 2, many: true, type: entry },
    } as const;
    const request = {
      topic: { number: 1, type: 'string' },
      messages: { number: 2, many: true, type: message },
    } as const;
    expect(decode(request, calls[0]!.body.subarray(5))).toEqual({
      topic: 'projects/p/topics/t',
      messages: alerts.map(({ bytes }) => ({
        data: bytes,
        attributes: [
          { key: 'team', value: 'soc' },
          { key: 'url', value: 'https://x:1' },
        ],
      })),
    });
  });

  test('attributes that Pub/Sub would refuse are told', () => {
    const problemsOf = (customattributes: object) =>
      pubsub.check!(pubsub.keys.parse({ ...config, customattributes })).map(({ message }) => message);
    expect(problemsOf({ a: 'x'.repeat(1024) })).toEqual([]);
    expect(problemsOf({ a: 'x'.repeat(1025) })).toEqual([expect.stringContaining('1024 bytes')]);
    expect(problemsOf({ google_x: '1' })).toEqual([expect.stringContaining('goog')]);
    expect(problemsOf(Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`a${n}`, ''])))).toHaveLength(
      1,
    );
  });
});

describe('cloud functions', () => {
  const definition = functions as OutputDefinition;
  const call = async (status: number, body: string) => {
    const sink = await sinkOf(status, body);
    const { output } = await openAgainst(definition, sink);
    const [alert] = falcoAlerts(1);
    const error = await failureOf(output.send([alert!], { signal: patience(), attempt: 1 }));
    return { error, request: sink.requests[0]!, alert: alert! };
  };

  test('a function is called with the alert as a text', async () => {
    const { error, request, alert } = await call(200, '{"executionId":"1","result":"OK"}');
    expect(error).toBeUndefined();
    expect(request.target).toBe('/v1/projects/my-project/locations/europe-west1/functions/falco:call');
    expect(JSON.parse(request.body)).toEqual({ data: alert.json });
  });

  test('a function that ended with an error is called again', async () => {
    const { error } = await call(200, '{"executionId":"1","error":"Error: S3cret went wrong"}');
    expect(error).toBeInstanceOf(RetriableError);
    expect(error!.message).not.toContain('S3cret');
  });

  test('its name has to be whole', () => {
    const problemsOf = (name: string) => functions.check!(functions.keys.parse({ name }));
    expect(problemsOf('projects/p/locations/l/functions/f')).toEqual([]);
    expect(problemsOf('f')).toMatchObject([{ path: 'name' }]);
  });
});
