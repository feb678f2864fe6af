/** Spyderbat: when the source of the alerts is registered. */
import { afterEach, expect, test } from 'vitest';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import spyderbat from '../../../src/outputs/spyderbat/index.ts';
import { openAgainst } from '../../support/contract.ts';
import { closeClients, failureOf, patience } from '../../support/http-client.ts';
import { answer, HttpSink } from '../../support/http-sink.ts';
import { falcoAlert } from '../../support/services/alerts.ts';

let sink: HttpSink;
afterEach(async () => {
  await closeClients();
  await sink.close();
});

/** Sends an alert to an organization with these sources; what was asked, and the failure if there was one. */
async function sendTo(sources: unknown, registered: number) {
  sink = await HttpSink.listen(({ method, target }, socket) => {
    if (method === 'GET') socket.write(answer(200, JSON.stringify(sources)));
    else socket.write(answer(target.endsWith('/source/') ? registered : 200, '{}'));
  });
  const { output } = await openAgainst(spyderbat as OutputDefinition, sink);
  const error = await failureOf(output.send([falcoAlert()], { signal: patience(), attempt: 1 }));
  return {
    error,
    asked: sink.requests.map(
      ({ method, target }) => `${method} ${target.slice('/api/v1/org/organization'.length)}`,
    ),
  };
}

const OWN = { uid: 'falcosidekick_organization' };
const machines = Array.from({ length: 700 }, (_, index) => ({ uid: `mach:${index}`, name: 'x'.repeat(100) }));
const LIST = 'GET /source/';
const REGISTRATION = 'POST /source/';
const DATA = 'POST /source/falcosidekick_organization/data/sb-agent';

test('a source that is known is not registered, however many there are', async () => {
  expect(await sendTo([...machines, OWN], 409)).toEqual({ asked: [LIST, DATA] });
});

test('a source is known by its uid alone', async () => {
  const named = { uid: 'mach:1', description: OWN.uid };
  expect(await sendTo([named], 200)).toEqual({ asked: [LIST, REGISTRATION, DATA] });
});

test('a source that somebody else has registered meanwhile is registered', async () => {
  expect(await sendTo([], 409)).toEqual({ asked: [LIST, REGISTRATION, DATA] });
});

test('a registration that is refused is told of', async () => {
  const { error, asked } = await sendTo({}, 500);
  expect(error).toMatchObject({ reason: 'server_error' });
  expect(asked).toEqual([LIST, REGISTRATION]);
});
