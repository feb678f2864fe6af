import { expect, test } from 'vitest';
import { toDedupKey } from '../../../src/outputs/pagerduty/dedup.ts';
import definition from '../../../src/outputs/pagerduty/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { openAgainst } from '../../support/contract.ts';
import { closeClients, patience } from '../../support/http-client.ts';
import { always, HttpSink } from '../../support/http-sink.ts';

const alert = (fields: object = {}, head: object = {}) =>
  alertOf(
    JSON.stringify({
      rule: 'R',
      priority: 'Notice',
      time: '2026-01-31T12:00:00Z',
      output: 'text',
      hostname: 'h',
      output_fields: fields,
      ...head,
    }),
  );

test('without chosen fields PagerDuty opens an incident for each request', () => {
  expect(toDedupKey(alert(), [])).toBeUndefined();
});

test('by the id, an alert stays one incident when it is sent again', () => {
  const one = alert();
  expect(toDedupKey(one, ['uuid'])).toBe(toDedupKey(one, ['uuid']));
  expect(toDedupKey(one, ['uuid'])).not.toBe(toDedupKey(alert(), ['uuid']));
});

test('alerts alike in the chosen fields share an incident', () => {
  const fields = ['rule', 'k8s.pod.name'];
  const key = (pod: string, rule = 'R') => toDedupKey(alert({ 'k8s.pod.name': pod }, { rule }), fields);
  expect(key('a')).toBe(key('a'));
  expect(new Set([key('a'), key('b'), key('a', 'S')]).size).toBe(3);
  expect(toDedupKey(alert({ a: 'x' }), ['a', 'b'])).not.toBe(toDedupKey(alert({ b: 'x' }), ['a', 'b']));
});

test('alerts in which all of these are empty are told apart by rule, host and source', () => {
  const key = (head: object) =>
    toDedupKey(alert({ 'k8s.pod.name': null }, head), ['k8s.pod.name', 'k8s.ns.name']);
  expect(key({})).toBe(key({}));
  expect(new Set([key({}), key({ rule: 'S' }), key({ hostname: 'i' }), key({ source: 'okta' })]).size).toBe(
    4,
  );
});

test('an event stays within the limits of the service and loses nothing that fits', async () => {
  const sink = await HttpSink.listen(always(202, '{"status":"success"}'));
  const { output } = await openAgainst(definition, sink);
  const send = async (fields: object, head: object) => {
    await output.send([alert(fields, head)], { signal: patience(), attempt: 1 });
    const { body } = sink.requests.at(-1)!;
    return { size: Buffer.byteLength(body), ...JSON.parse(body).payload };
  };
  const long = await send({ 'proc.name': 'x' }, { output: 'é'.repeat(2000) });
  expect(long.summary).toHaveLength(1024);
  expect(long.custom_details.output).toBe('é'.repeat(2000));
  const huge = await send({ a: '"'.repeat(600_000), b: 'kept' }, {});
  expect(huge.size).toBeLessThan(512 * 1024);
  expect(huge.custom_details).toMatchObject({ b: 'kept', rule: 'R' });
  await closeClients();
  await sink.close();
});
