/** What every HTTP output of the registry has to do, whatever the far end does. The far end is a real socket. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Alert, HttpRequest, OutputDefinition } from '../../src/core/contract.ts';
import { PermanentError, RetriableError } from '../../src/core/errors.ts';
import { outputs } from '../../src/outputs/index.ts';
import { alertOf, canonicalAlerts } from '../support/alerts.ts';
import { type Certs, makeCerts, serverTls } from '../support/certs.ts';
import { configOf, openAgainst, withSecrets } from '../support/contract.ts';
import { closeClients, failureOf, patience } from '../support/http-client.ts';
import { always, answer, HttpSink, type Reply } from '../support/http-sink.ts';

/** Output → check → why it does not hold there. Only ever gets shorter. */
const EXCEPTIONS: Record<string, Record<string, string>> = {};

/** Statuses after which an output tries again though others would not. */
const LATER: Record<string, number[]> = {
  // The definition of the reports, which a cluster may still get from somewhere else.
  policyreport: [404],
  // Wavefront's word for too many points.
  wavefront: [406],
};

const httpOutputs = outputs.filter(({ http }) => http === true);

let dir: string;
let certs: Certs;
let sink: HttpSink;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tiercel-contract-'));
  certs = await makeCerts(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));
beforeEach(async () => {
  sink = await HttpSink.listen(always(200, '{}'));
});
afterEach(async () => {
  await closeClients();
  await sink.close();
});

const BASE = { rule: 'R', priority: 'Notice', time: '2026-01-31T12:00:00Z', output: 'text' };
const plainAlert = () => alertOf(JSON.stringify({ ...BASE, output_fields: { 'proc.name': 'bash' } }));

/** Alerts as hostile as they get. */
const ODD: Record<string, string> = {
  'every JSON type': JSON.stringify({
    ...BASE,
    output_fields: {
      'k8s.ns.name': 7,
      'k8s.pod.name': null,
      'fd.rport': 443,
      flag: true,
      list: [1, 'two', null, { three: 3 }],
      map: { deep: { deeper: ['x'] } },
      '': 'no name',
      'proc.aname[2]': 'x',
      __proto__x: 1,
    },
  }),
  'exact numbers': `{"rule":"R","priority":"Notice","time":"2026-01-31T12:00:00.123456789Z","output":"t","output_fields":{"evt.time":1743606903434319636,"f":12.50,"e":1e400}}`,
  'no fields': JSON.stringify({ rule: 'R', priority: 'Debug', time: BASE.time }),
  'hostile text': JSON.stringify({
    ...BASE,
    rule: 'a\r\nX-Injected: 1"\\\u0000\u2028<b>`*_~',
    output: '{{ .Rule }} \u0007 ‮ 😀 \ud800',
    tags: ['a,b', '"', '\n'],
    hostname: 'h\r\nost',
    source: 'so\nurce',
    output_fields: { 'a"b\n': 'c"d\n', __proto__: 'x', constructor: 'y' },
  }),
};

/** A body as text; what is compressed in it unpacked. */
function unpacked(body: HttpRequest['body']): string {
  const bytes = Buffer.from(body ?? '');
  const start = bytes.indexOf(Buffer.from([0x1f, 0x8b, 0x08]));
  if (start < 0) return bytes.toString();
  // In an upload of several parts, it is the last one.
  const end = bytes.lastIndexOf('\r\n--');
  return bytes.toString('utf8', 0, start) + gunzipSync(bytes.subarray(start, end > start ? end : undefined));
}

/** A body and all texts within it: fields of a form, values in lines of JSON, and what they are as base64. */
function* textsIn(body: string): Generator<string> {
  yield body;
  for (const [, value] of new URLSearchParams(body)) yield value;
  for (const line of [body, ...body.split('\n')]) {
    const found: string[] = [];
    try {
      JSON.parse(line, (_name, value) => {
        if (typeof value === 'string') found.push(value);
        return value;
      });
    } catch {
      // No JSON, then.
    }
    for (const text of found) yield* [text, Buffer.from(text, 'base64').toString()];
  }
}

describe.each(httpOutputs)('$name', (definition: OutputDefinition) => {
  const check = (name: string, body: () => Promise<void>) => {
    const why = EXCEPTIONS[definition.name]?.[name];
    if (why === undefined) test(name, body);
    else test.fails(`${name} (${why})`, body);
  };
  const open = async () => (await openAgainst(definition, sink)).output;
  const send = async (alert: Alert = plainAlert(), signal = patience()) =>
    (await open()).send([alert], { signal, attempt: 1 });

  check('judges every status', async () => {
    const output = await open();
    const seen: Record<string, number[]> = { accepted: [], later: [], never: [] };
    for (let status = 200; status < 600; status++) {
      sink.reply = always(status, '{}');
      const error = await failureOf(output.send([plainAlert()], { signal: patience(), attempt: 1 }));
      if (error === undefined) seen.accepted!.push(status);
      else if (error instanceof RetriableError) seen.later!.push(status);
      else if (error instanceof PermanentError) seen.never!.push(status);
    }
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
    const own = LATER[definition.name] ?? [];
    const later = [...own, 407, 408, 425, 429, ...range(500, 600).filter(status => status !== 501)];
    expect(seen.accepted).toEqual(range(200, 300));
    expect(seen.later).toEqual(later);
    expect(seen.never).toEqual(range(300, 600).filter(status => !later.includes(status)));
  });

  check('takes an answer that others announce', async () => {
    sink.reply = (_request, socket) => void socket.write(answer(103) + answer(200, '{}'));
    await send();
  });

  check('passes on how long to wait', async () => {
    const output = await open();
    for (const [value, expected] of [
      ['7', 7000],
      ['Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
      ['whenever', undefined],
    ] as const) {
      for (const status of [429, 503]) {
        sink.reply = always(status, '', { 'retry-after': value });
        const error = await failureOf(output.send([plainAlert()], { signal: patience(), attempt: 1 }));
        expect(error).toMatchObject({ retryAfterMs: expected });
      }
    }
  });

  const broken: [string, Reply][] = [
    ['a reset before the answer', (_request, socket) => void socket.resetAndDestroy()],
    ['a close before the answer', (_request, socket) => void socket.end()],
    ['nonsense for an answer', (_request, socket) => void socket.write('220 smtp.example ESMTP\r\n')],
    ['half a header', (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\nserv')],
  ];
  for (const [name, reply] of broken) {
    check(`${name} is worth another try`, async () => {
      sink.reply = reply;
      const error = await failureOf(send());
      expect(error).toBeInstanceOf(RetriableError);
      expect(error!.reason).toBe('network');
    });
  }

  const odd: [string, Reply][] = [
    [
      'in chunks',
      (_request, socket) =>
        void socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
    ],
    [
      'with folded and odd headers',
      (_request, socket) =>
        void socket.write(
          'HTTP/1.1 200 OK\r\nx: a\r\n  b\r\nx frame: 1\r\nodd\r\ncontent-length: 2\r\n\r\n{}',
        ),
    ],
    ['that is huge', always(200, `{"x":"${'y'.repeat(3_000_000)}"}`)],
    [
      'in drops',
      (_request, socket) => {
        const text = answer(200, '{}');
        let at = 0;
        const next = () => {
          socket.write(text.slice(at, ++at));
          if (at < text.length) setImmediate(next);
        };
        next();
      },
    ],
  ];
  for (const [name, reply] of odd) {
    check(`takes an answer ${name}`, async () => {
      sink.reply = reply;
      await send();
    });
  }

  check('stops at once when it is told to', async () => {
    sink.reply = () => {};
    const caller = new AbortController();
    const sent = failureOf(send(plainAlert(), caller.signal));
    await sink.until(() => sink.requests.length > 0);
    caller.abort();
    expect(await sent).toMatchObject({ reason: 'timeout' });
    await sink.until(() => sink.ended.has(1));
    expect(await failureOf(send(plainAlert(), AbortSignal.abort()))).toBeInstanceOf(RetriableError);
    expect(sink.requests).toHaveLength(1);
  });

  check('keeps secrets out of errors and logs, even when the far end repeats them', async () => {
    const mark = 'S3ntinel-6f1c';
    sink.reply = (request, socket) => {
      const heads = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
      const echo = `bad: ${request.method} ${request.target}\n${heads.join('\n')}\n`;
      // Not the whole body: what an alert says is no secret, and would push the rest out of sight.
      socket.write(answer(400, echo + (request.body.match(/.{0,20}S3ntinel.{0,40}/g) ?? []).join('\n')));
    };
    const options = {
      config: withSecrets(definition, mark),
      connection: {
        headers: { 'x-token': `${mark}-token`, authorization: `Basic ${btoa(`me:${mark}-pass`)}` },
      },
    };
    const { output, lines } = await openAgainst(definition, sink, options);
    const error = await failureOf(output.send([plainAlert()], { signal: patience(), attempt: 1 }));
    expect(error?.message).toContain('400');
    expect(JSON.stringify(sink.requests)).toContain(`${mark}-token`);
    const basic = btoa(`me:${mark}-pass`);
    for (const text of [error!.message, JSON.stringify(error), JSON.stringify(lines)]) {
      expect(text).not.toContain(mark);
      expect(text).not.toContain(basic);
    }
  });

  check('takes every canonical alert, changes none and builds the same request twice', async () => {
    const { output, requests } = await openAgainst(definition, sink);
    for (const [name, alert] of canonicalAlerts()) {
      const before = alert.json;
      expect(Object.isFrozen(alert), name).toBe(true);
      for (let times = 0; times < 2; times++) await output.send([alert], { signal: patience(), attempt: 1 });
      expect(alert.json, name).toBe(before);
      // What makes something ready holds no alert: an output may introduce itself before its first one.
      const [first, second] = requests
        .splice(0)
        .filter(({ setup }) => !setup)
        .slice(-2);
      expect(second, name).toEqual(first);
    }
  });

  check('sends what a template gives where the target takes it', async () => {
    const batching = 'batching' in definition.keys.shape && { batching: { enabled: true } };
    const config = configOf(definition, { ...definition.example, ...batching });
    const place = definition.templateBody?.(config) ?? 'request';
    if (typeof place === 'object') return expect(place.refused).toMatch(/^\w.+\w$/);
    sink.reply = always(200, '{"errors":false}');
    const template = { body: '{\n  "own": {{ toJson .Rule }} }', text: '', title: '' };
    const { output, requests } = await openAgainst(definition, sink, { config, template });
    const several = place !== 'request' && (definition.batchBy?.(config) ?? definition.batch) !== undefined;
    const rules = several ? ['R', 'S'] : ['R'];
    const alerts = rules.map(rule => alertOf(JSON.stringify({ ...BASE, rule, output_fields: { a: 'b' } })));
    await output.send(alerts, { signal: patience(), attempt: 1 });
    // Others may have made something ready for it.
    const [own, ...others] = requests.map(({ body }) => unpacked(body)).reverse();
    if (place === 'request') expect(own).toBe('{\n  "own": "R" }');
    const texts = [...textsIn(own!)];
    for (const rule of rules) {
      expect(texts.some(text => text.replaceAll(/\s/g, '').includes(`"own":"${rule}"`))).toBe(true);
    }
    expect(texts.some(text => text.includes('output_fields'))).toBe(false);
    expect(others.join()).not.toContain('own');
  });

  for (const [name, text] of Object.entries(ODD)) {
    check(`takes an alert with ${name}`, async () => {
      await send(alertOf(text));
      const request = sink.requests.at(-1);
      expect(request!.headers).not.toHaveProperty('x-injected');
      expect(request!.body.length).toBeGreaterThan(0);
    });
  }

  check('never cuts a character in two', async () => {
    const { output } = await openAgainst(definition, sink);
    for (const shift of ['', 'x']) {
      const long = shift + '😀'.repeat(60_000);
      const alert = alertOf(
        JSON.stringify({ ...BASE, output: long, output_fields: { 'proc.cmdline': long } }),
      );
      await output.send([alert], { signal: patience(), attempt: 1 });
      const { body } = sink.requests.at(-1)!;
      expect(body.includes('\ufffd')).toBe(false);
      // As an escape, half a character could hide from the check of the bytes.
      expect(/\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])/i.test(body)).toBe(false);
    }
  });

  check('obeys the TLS settings', async () => {
    const secure = await HttpSink.listen(always(200, '{}'), {
      ...serverTls(certs),
      ca: readFileSync(certs.ca),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const own = { caFiles: [certs.ca], certFile: certs.clientCert, keyFile: certs.clientKey };
    const attempt = async (connection: object) => {
      const { output } = await openAgainst(definition, secure, { connection });
      return failureOf(output.send([plainAlert()], { signal: patience(), attempt: 1 }));
    };
    expect(await attempt(own)).toBeUndefined();
    expect(await attempt({ ...own, caFiles: [], verify: false })).toBeUndefined();
    for (const wrong of [
      { ...own, caFiles: [] },
      { caFiles: [certs.ca] },
      { ...own, serverName: 'other.example' },
    ]) {
      expect(await attempt(wrong)).toMatchObject({ reason: 'network' });
    }
    await secure.close();
  });

  check('can be probed and closed, twice', async () => {
    const output = await open();
    await output.probe?.(patience());
    await output.close?.();
    await output.close?.();
  });
});

test('exceptions name outputs that exist', () => {
  for (const name of Object.keys(EXCEPTIONS)) expect(httpOutputs.map(output => output.name)).toContain(name);
});
