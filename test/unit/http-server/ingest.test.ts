import { afterEach, describe, expect, it } from 'vitest';
import { AlertTooLargeError, SpoolFaultError, SpoolFullError } from '../../../src/core/spool/contract.ts';
import { alertText, call, post, type Rig, raw, startServer } from './support.ts';

const TOKENS = { token: 't0ken', username: '', password: '', path: '', adminToken: 'adm1n' };

let rig: Rig;
afterEach(() => rig.close());

describe("falcosidekick's answers", () => {
  it('takes an alert with 200 and nothing else', async () => {
    rig = await startServer();
    const answer = await post(rig.url, alertText());
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.headers['content-type']).toBeUndefined();
    expect(rig.backend.taken.map(alert => alert.rule)).toEqual(['Terminal shell in container']);
    expect(rig.accepted).toBe(1);
  });

  it.each(['/foo', '/ping/', '/debug/vars', '/?a=b', '//', '/apis'])('takes alerts at %s too', async path => {
    rig = await startServer();
    expect((await post(rig.url + path, alertText())).status).toBe(200);
    expect(rig.accepted).toBe(1);
  });

  it.each(['/api', '/api/', '/api/alerts', '/api/v1/alerts', '/api/v1/status', '/api/v1/reload/x'])(
    'takes alerts posted to %s, which is no call of the API',
    async path => {
      rig = await startServer({ maxBodyBytes: 2000, auth: TOKENS });
      const send = (token: string, body: string) =>
        post(rig.url + path, body, { authorization: `Bearer ${token}` });
      expect(await send('t0ken', alertText())).toMatchObject({ status: 200, body: '' });
      expect(rig.backend.taken).toHaveLength(1);
      expect((await send('wrong', alertText())).status).toBe(401);
      expect((await send('t0ken', alertText({ output: 'x'.repeat(2000) }))).status).toBe(413);
      expect((await send('t0ken', '{}')).body).toContain('Please send a valid request body');
    },
  );

  it.each([
    '/api/v1/reload',
    '/api/v1/Reload/?x=1',
    '/api/v1/test',
    '/api/v1/replay',
    '/api/v1/dead-letters/replay',
  ])('takes no alerts at %s, which is a call of the API', async path => {
    rig = await startServer({ auth: TOKENS });
    const answer = await post(rig.url + path, alertText(), { authorization: 'Bearer t0ken' });
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(rig.backend.taken).toEqual([]);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('refuses %s on /', async method => {
    rig = await startServer();
    const answer = await call(`${rig.url}/`, { method });
    expect(answer).toMatchObject({ status: 400, body: 'Please send with post http method\n' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(rig.refused).toEqual(['method']);
  });

  it.each(['GET', 'POST', 'PUT'])('answers %s /ping', async method => {
    rig = await startServer();
    const answer = await call(`${rig.url}/ping`, { method });
    expect(answer).toMatchObject({ status: 200, body: 'pong\n' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  it('answers /healthz to the letter', async () => {
    rig = await startServer();
    const answer = await call(`${rig.url}/healthz`);
    expect(answer).toMatchObject({ status: 200, body: '{"status": "ok"}' });
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('takes the test alert through the normal path', async () => {
    rig = await startServer();
    expect(await post(`${rig.url}/test`, 'ignored')).toMatchObject({ status: 200, body: '' });
    expect(rig.backend.taken[0]).toMatchObject({
      rule: 'Test rule',
      priority: 'Debug',
      tags: ['test', 'example'],
    });
    expect((await call(`${rig.url}/test`)).body).toBe('Please send with post http method\n');
    expect(rig.accepted).toBe(1);
  });

  it.each(['GET', 'POST'])('serves the metrics to %s', async method => {
    rig = await startServer();
    const answer = await call(`${rig.url}/metrics`, { method });
    expect(answer).toMatchObject({ status: 200, body: 'tiercel_up 1\n' });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});

it('tells whether it is ready, and why not', async () => {
  rig = await startServer();
  expect(await call(`${rig.url}/readyz`)).toMatchObject({
    status: 200,
    body: '{"ready":true,"problems":[]}',
  });
  rig.backend.ready = false;
  const answer = await call(`${rig.url}/readyz`);
  expect(answer.status).toBe(503);
  expect(JSON.parse(answer.body).problems).toMatchObject([{ part: 'spool', message: 'the disk is full' }]);
});

it('answers 500 when it cannot tell whether it is ready, and goes on', async () => {
  rig = await startServer();
  rig.backend.readiness = () => {
    throw new Error('no idea');
  };
  expect(await call(`${rig.url}/readyz`)).toMatchObject({ status: 500 });
  expect(rig.logged).toMatchObject([{ level: 'error', fields: { err: { message: 'no idea' } } }]);
  expect((await call(`${rig.url}/healthz`)).status).toBe(200);
});

describe('what is no alert', () => {
  it.each([
    ['', 'empty', /empty/],
    ['  \n', 'empty', /empty/],
    ['12:00:00.1 Warning A shell was opened', 'not_json', /json_output: true/],
    ['{"rule":', 'not_json', /not JSON/],
    ['"text"', 'not_an_alert', /expected a JSON object/],
    ['null', 'not_an_alert', /found null/],
    ['{}', 'missing_field', /no rule/],
    ['[]', 'empty', /list of alerts is empty/],
    [alertText({ priority: 'Bogus' }), 'bad_field', /priority/],
    [alertText({ time: 'yesterday' }), 'bad_field', /time/],
    [alertText({ output_fields: [1] }), 'bad_field', /output_fields/],
    [alertText({ x: JSON.parse('['.repeat(600) + ']'.repeat(600)) }), 'too_deep', /nesting/],
  ])('%.60s is refused with its reason', async (body, reason, sentence) => {
    rig = await startServer();
    const answer = await post(rig.url, body, { 'content-type': 'text/plain' });
    expect(answer.status).toBe(400);
    expect(answer.body.startsWith('Please send a valid request body: ')).toBe(true);
    expect(answer.body).toMatch(sentence);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(rig.refused).toEqual([reason]);
    expect(rig.backend.taken).toEqual([]);
  });

  it.each([
    ['no fields', { output_fields: undefined }],
    ['no output', { output: undefined }],
    ['no source and tags', { source: undefined, tags: undefined }],
    [
      'odd types in fields',
      { output_fields: { 'k8s.ns.name': 7, 'k8s.pod.name': null, a: [1, { b: false }] } },
    ],
  ])('an alert with %s is taken', async (_name, over) => {
    rig = await startServer();
    expect((await post(rig.url, alertText(over))).status).toBe(200);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-8', undefined])(
    'the content type %s does not matter',
    async type => {
      rig = await startServer();
      expect((await post(rig.url, alertText(), type ? { 'content-type': type } : {})).status).toBe(200);
    },
  );
});

it('keeps each digit', async () => {
  rig = await startServer();
  await post(rig.url, alertText().replace('"sh"', '"sh","evt.time":1743606903434319636,"cost":12.50'));
  expect(rig.backend.taken[0]!.json).toContain('"evt.time":1743606903434319636,"cost":12.50');
});

it('reads invalid UTF-8 leniently', async () => {
  rig = await startServer();
  const body = Buffer.from(alertText({ output: 'a@b' }));
  body[body.indexOf('@')] = 0xff;
  expect((await post(rig.url, body)).status).toBe(200);
  expect(rig.backend.taken[0]!.output).toBe('a\ufffdb');
});

describe('several alerts in one body', () => {
  const three = ['a', 'b', 'c'].map(rule => alertText({ rule }));
  it.each([
    ['a list', `[${three.join(',')}]`],
    ['lines', three.join('\n')],
    ['lines with CRLF and an empty one', `${three.join('\r\n\r\n')}\r\n`],
    ['one behind the other', three.join('')],
  ])('come as %s', async (_name, body) => {
    rig = await startServer();
    expect(await post(rig.url, body)).toMatchObject({ status: 200, body: '' });
    expect(rig.backend.taken.map(alert => alert.rule)).toEqual(['a', 'b', 'c']);
    expect(rig.accepted).toBe(3);
  });

  it('the good ones are taken, the others listed', async () => {
    rig = await startServer();
    const answer = await post(rig.url, `[${three[0]}, 5, ${three[1]}, {"rule":"x"}]`);
    expect(answer.status).toBe(207);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toEqual({
      accepted: 2,
      refused: [
        { index: 1, reason: 'not_an_alert', message: expect.any(String) },
        { index: 3, reason: 'missing_field', message: expect.stringContaining('priority') },
      ],
    });
    expect(rig.backend.taken.map(alert => alert.rule)).toEqual(['a', 'b']);
    expect([rig.accepted, rig.refused]).toEqual([2, ['not_an_alert', 'missing_field']]);
    expect(rig.server.refusals()).toMatchObject([{ alerts: 2, reason: 'not_an_alert' }]);
  });

  it('none good is 400, with a bounded answer', async () => {
    rig = await startServer();
    const answer = await post(rig.url, `[${'1,'.repeat(9_999)}1]`);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/^Please send a valid request body: .*\n/);
    expect(answer.body).toContain('and 9900 more');
    expect(answer.body.length).toBeLessThan(20_000);
    expect(rig.refused).toHaveLength(10_000);
  });
});

describe('when the alerts cannot be kept', () => {
  it.each([
    [new SpoolFullError('full'), 503, 'spool_full', '5'],
    [new SpoolFaultError('ENOSPC'), 503, 'spool_fault', undefined],
    [new SpoolFaultError('ENOSPC', { isTaken: false }), 503, 'spool_fault', '5'],
    [new AlertTooLargeError('an alert of more than 64 bytes'), 413, 'too_large', undefined],
    [new RangeError('Maximum call stack size exceeded'), 500, 'internal', undefined],
    [new TypeError('a defect with token=s3cr3t'), 500, 'internal', undefined],
  ])('%s', async (error, status, reason, retryAfter) => {
    rig = await startServer();
    rig.backend.onTake = () => Promise.reject(error);
    const answer = await post(rig.url, alertText());
    expect(answer.status).toBe(status);
    expect(answer.headers['retry-after']).toBe(retryAfter);
    expect(answer.body).not.toContain('s3cr3t');
    expect([rig.refused, rig.accepted]).toEqual([[reason], 0]);
    rig.backend.onTake = undefined;
    expect((await post(rig.url, alertText())).status).toBe(200);
  });

  it('a backend that throws at once costs no more than the request', async () => {
    rig = await startServer({ maxInFlight: 1 });
    rig.backend.take = () => {
      throw new Error('defect');
    };
    for (let i = 0; i < 3; i++) expect((await post(rig.url, alertText())).status).toBe(500);
    // Each is counted, one is written.
    expect(rig.refused).toEqual(['internal', 'internal', 'internal']);
    expect(rig.logged.filter(line => line.level === 'error')).toHaveLength(1);
  });
});

describe('refusals', () => {
  it('say who sent what, and are the last hundred', async () => {
    rig = await startServer();
    for (let i = 0; i < 105; i++) {
      await post(`${rig.url}/in?key=s3cr3t`, 'x'.repeat(i + 1), { 'user-agent': `falco/${i}` });
    }
    const refusals = rig.server.refusals();
    expect(refusals).toHaveLength(100);
    expect(refusals.at(-1)).toMatchObject({
      reason: 'not_json',
      method: 'POST',
      path: '/in',
      bytes: 105,
      sender: { address: '127.0.0.1', userAgent: 'falco/104' },
    });
    expect(refusals[0]!.sender.userAgent).toBe('falco/5');
    expect(rig.logged.filter(line => line.level === 'warn')).toHaveLength(1);
    expect(JSON.stringify([refusals, rig.logged])).not.toContain('s3cr3t');
  });

  it('tell of TLS that comes to the plain port, and of noise', async () => {
    rig = await startServer();
    await raw(rig.port, Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 3]));
    expect(await raw(rig.port, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(rig.server.refusals()).toMatchObject([
      { reason: 'bad_request', message: expect.stringContaining('http://') },
      { reason: 'bad_request', message: 'this is not HTTP' },
    ]);
  });
});
