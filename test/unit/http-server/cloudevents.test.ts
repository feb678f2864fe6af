import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { alertText, post, type Rig, startServer } from './support.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startServer();
});
afterEach(() => rig.close());

const ID = '0a1b2c3d-0000-4000-8000-00000000abcd';
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const BATCH = { 'content-type': 'application/cloudevents-batch+json' };
const attributes = { specversion: '1.0', id: ID, source: 'falco.org', type: 'falco.rule.output.v1' };
const event = (over: Record<string, unknown> = {}) =>
  JSON.stringify({ ...attributes, data: JSON.parse(alertText()), ...over });
const binary = (over: Record<string, string | undefined> = {}) => {
  const all = { ...attributes, ...over };
  const headers = Object.entries(all).flatMap(([name, value]) => (value ? [[`ce-${name}`, value]] : []));
  return { 'content-type': 'application/json', ...Object.fromEntries(headers) };
};
const taken = () => rig.backend.taken[0]!;

describe('structured', () => {
  it('the alert is its data, the id the uuid', async () => {
    expect(await post(rig.url, event(), STRUCTURED)).toMatchObject({ status: 200, body: '' });
    expect(taken()).toMatchObject({ uuid: ID, rule: 'Terminal shell in container' });
    expect(taken().extra).toEqual({});
  });

  it('a byte order mark is passed over', async () => {
    expect((await post(rig.url, `\ufeff${event()}`, STRUCTURED)).status).toBe(200);
    expect((await post(rig.url, `\ufeff${alertText()}`, binary())).status).toBe(200);
  });

  it.each([
    ['structured', STRUCTURED, (deep: string) => event().replace('"sh"', deep)],
    ['in a batch', BATCH, (deep: string) => `[${event().replace('"sh"', deep)}]`],
    ['binary', binary(), (deep: string) => alertText().replace('"sh"', deep)],
    [
      'base64',
      STRUCTURED,
      (deep: string) => {
        const data_base64 = Buffer.from(alertText().replace('"sh"', deep)).toString('base64');
        return event({ data: undefined, data_base64 });
      },
    ],
  ])('data that is nested without end is refused before it is read: %s', async (_name, headers, build) => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    expect((await post(rig.url, build(deep), headers)).status).toBe(400);
    expect(rig.refused).toEqual(['too_deep']);
  });

  it('numbers stay exact', async () => {
    const body = event().replace('"sh"', '"sh","evt.time":1743606903434319636');
    await post(rig.url, body, STRUCTURED);
    expect(taken().json).toContain('"evt.time":1743606903434319636');
  });

  it.each([
    ['base64', { data: undefined, data_base64: Buffer.from(alertText()).toString('base64') }],
    ['a text', { data: alertText(), datacontenttype: 'text/plain' }],
  ])('data as %s', async (_name, over) => {
    expect((await post(rig.url, event(over), STRUCTURED)).status).toBe(200);
    expect(taken()).toMatchObject({ uuid: ID, rule: 'Terminal shell in container' });
  });

  it("the alert's own uuid and time win", async () => {
    const uuid = '11111111-2222-4333-8444-555555555555';
    const data = JSON.parse(alertText({ uuid }));
    await post(rig.url, event({ data, time: '2020-01-01T00:00:00Z' }), STRUCTURED);
    expect(taken()).toMatchObject({ uuid, time: '2026-01-31T12:00:00.123456789Z' });
  });

  it.each([undefined, null, ''])('the time of the event stands in for %s', async time => {
    const data = JSON.parse(alertText({ time }));
    await post(rig.url, event({ data, time: '2020-01-01T00:00:00Z' }), STRUCTURED);
    expect(taken().time).toBe('2020-01-01T00:00:00Z');
  });

  it('an id that is no UUID is not used', async () => {
    await post(rig.url, event({ id: 'event-1' }), STRUCTURED);
    expect(taken().uuid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['specversion', { specversion: '0.3' }],
    ['specversion', { specversion: undefined }],
    ['specversion', { specversion: 1.0 }],
    ['id', { id: '' }],
    ['id', { id: 5 }],
    ['source', { source: undefined }],
    ['type', { type: undefined }],
    ['data', { data: undefined }],
  ])('a bad %s is refused: %o', async (name, over) => {
    const answer = await post(rig.url, event(over), STRUCTURED);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/^Please send a valid request body: /);
    expect(answer.body).toContain(name);
    expect(rig.refused).toEqual(['bad_cloudevent']);
  });

  it.each([
    ['{', 'bad_cloudevent'],
    ['[]', 'bad_cloudevent'],
    ['null', 'bad_cloudevent'],
    [event({ data: {} }), 'missing_field'],
    [event({ data: [] }), 'not_an_alert'],
    [event({ data: 'not JSON' }), 'not_json'],
    [event({ data_base64: '%%%', data: undefined }), 'not_json'],
  ])('%.50s is refused', async (body, reason) => {
    expect((await post(rig.url, body, STRUCTURED)).status).toBe(400);
    expect(rig.refused).toEqual([reason]);
  });

  it('another format is refused in a sentence', async () => {
    const answer = await post(rig.url, 'x', { 'content-type': 'application/cloudevents+avro' });
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('cloudevents+json') });
  });
});

describe('a batch', () => {
  it('is taken whole', async () => {
    const second = event({ id: 'b', data: JSON.parse(alertText({ rule: 'second' })) });
    expect((await post(rig.url, `[${event()},${second}]`, BATCH)).status).toBe(200);
    expect(rig.backend.taken.map(alert => alert.rule)).toEqual(['Terminal shell in container', 'second']);
    expect(rig.accepted).toBe(2);
  });

  it('gives up its good ones', async () => {
    const answer = await post(rig.url, `[${event({ id: '' })},${event()},7]`, BATCH);
    expect(answer.status).toBe(207);
    expect(JSON.parse(answer.body)).toMatchObject({
      accepted: 1,
      refused: [
        { index: 0, reason: 'bad_cloudevent' },
        { index: 2, reason: 'bad_cloudevent' },
      ],
    });
  });

  it.each([['[]'], ['{}'], ['7'], [`[${'1,'.repeat(10_000)}1]`]])('%.20s is refused', async body => {
    expect((await post(rig.url, body, BATCH)).status).toBe(400);
  });
});

describe('binary', () => {
  it('the body is the alert, the attributes are headers', async () => {
    const body = alertText({ time: undefined });
    expect((await post(rig.url, body, binary({ time: '2020-01-01T00:00:00Z' }))).status).toBe(200);
    expect(taken()).toMatchObject({ uuid: ID, time: '2020-01-01T00:00:00Z' });
  });

  it.each([
    ['specversion', { specversion: '0.3' }],
    ['id', { id: undefined }],
    ['source', { source: undefined }],
    ['type', { type: undefined }],
  ])('a bad %s is refused', async (name, over) => {
    const answer = await post(rig.url, alertText(), binary(over));
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(name) });
    expect(rig.refused).toEqual(['bad_cloudevent']);
  });
});
