import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { HttpResponse } from '../../../src/core/contract.ts';
import { Exchange } from '../../../src/core/http/exchange.ts';

function exchangeUntil(until: AbortSignal) {
  const ends: Error[] = [];
  const controller = { abort: (reason: Error) => void ends.push(reason) };
  let exchange!: Exchange;
  const outcome = new Promise<HttpResponse>((resolve, reject) => {
    exchange = new Exchange({
      target: { origin: 'http://a', path: '/' },
      headers: [],
      until,
      resolve,
      reject,
    });
  });
  exchange.start();
  exchange.onRequestStart(controller);
  return { exchange, outcome, controller, ends };
}

test('given up within the body of its answer, a request has been answered', async () => {
  const limit = new AbortController();
  const { exchange, outcome, controller, ends } = exchangeUntil(limit.signal);
  exchange.onResponseStart(controller, 200, {});
  exchange.onResponseData(controller, Buffer.from('half'));
  limit.abort();
  expect(await outcome).toMatchObject({ status: 200, body: 'half' });
  expect(ends).toHaveLength(1);
});

test('given up before the answer, it has failed', async () => {
  const limit = new AbortController();
  const { exchange, outcome, controller, ends } = exchangeUntil(limit.signal);
  exchange.onResponseStart(controller, 103, {});
  limit.abort();
  await expect(outcome).rejects.toMatchObject({ reason: 'timeout' });
  expect(ends).toHaveLength(1);
});

test('a body in tiny pieces takes about as much memory as in one', async () => {
  const { exchange, outcome, controller } = exchangeUntil(new AbortController().signal);
  exchange.onResponseStart(controller, 200, {});
  const [length, text] = [65_536, 'abcdefgh'];
  const before = memoryUsed();
  const lent = Buffer.alloc(1);
  for (let at = 0; at < length; at++) {
    lent.write(text[at % text.length]!);
    exchange.onResponseData(controller, lent);
  }
  expect(memoryUsed() - before).toBeLessThan(10 * length);
  exchange.onResponseEnd();
  expect((await outcome).body).toBe(text.repeat(length / text.length));
});

/** What is in use after all garbage has been collected, in bytes. */
function memoryUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
