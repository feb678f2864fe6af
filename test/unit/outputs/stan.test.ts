import { afterEach, expect, test } from 'vitest';
import { decode, encode } from '../../../src/outputs/_kit/protobuf.ts';
import stan from '../../../src/outputs/stan/index.ts';
import { ConnectResponse, PubAck, PubMsg } from '../../../src/outputs/stan/protocol.ts';
import { falcoAlert } from '../../support/services/alerts.ts';
import { failureOf, openOutput, trySend } from '../../support/services/drive.ts';
import { startRawNats } from '../../support/services/raw-nats.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean();
});

/** An output whose server registers it as `welcome` says, and answers what it publishes, call by call. */
async function outputOn(answers: Uint8Array[], welcome = encode(ConnectResponse, { pubPrefix: 'in' })) {
  const server = await startRawNats((subject, body) => {
    if (subject.startsWith('_STAN.discover')) return welcome;
    if (!subject.startsWith('in.')) return new Uint8Array();
    return answers.shift() ?? encode(PubAck, { guid: decode(PubMsg, body).guid });
  });
  cleanup.push(() => server.close());
  const hostport = `127.0.0.1:${server.port}`;
  const output = await openOutput(stan, { hostport, clusterid: 'c', clientid: 'i' });
  cleanup.push(() => output.close!());
  return output;
}

const unread = { name: 'RetriableError', reason: 'server_error', message: expect.stringContaining('else') };

test.each([
  ['of nothing', new Uint8Array()],
  ['of another alert', encode(PubAck, { guid: 'another' })],
  ['that cannot be read', Buffer.from('{"ok":true}')],
  ['that ends too early', Buffer.from([10, 40, 65])],
])('an answer %s does not count as stored: the alert is tried again', async (_, answer) => {
  const output = await outputOn([answer]);
  const alert = falcoAlert();
  await expect(failureOf(trySend(output, [alert]))).resolves.toMatchObject(unread);
  await trySend(output, [alert]);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['what cannot be read', Buffer.from('{"ok":true}')],
])('a welcome of %s is none: the alert is tried again', async (_, welcome) => {
  const output = await outputOn([], welcome);
  await expect(failureOf(trySend(output, [falcoAlert()]))).resolves.toMatchObject(unread);
});
