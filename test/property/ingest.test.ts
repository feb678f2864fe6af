/** Whatever is posted: no 5xx, no crash, no lost neighbour, no changed digit. Over a real socket. */
import http from 'node:http';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Rig, startServer } from '../unit/http-server/support.ts';

let rig: Rig;
const agent = new http.Agent({ keepAlive: true });
const crashes: unknown[] = [];
const onCrash = (error: unknown) => void crashes.push(error);

beforeAll(async () => {
  rig = await startServer({ requestTimeoutMs: 5000 });
  process.on('unhandledRejection', onCrash);
});
afterEach(() => {
  expect(crashes).toEqual([]);
});
afterAll(async () => {
  process.off('unhandledRejection', onCrash);
  agent.destroy();
  await rig.close();
});

/** Posts over a connection that is kept, and hands back the alerts that reached the backend. */
async function send(body: string | Uint8Array, headers: http.OutgoingHttpHeaders = {}, path = '/') {
  rig.backend.log.length = 0;
  const status = await new Promise<number>((resolve, reject) => {
    const request = http.request(
      { agent, host: '127.0.0.1', port: rig.port, path, method: 'POST', headers },
      response => {
        response.resume();
        response.on('end', () => resolve(response.statusCode!));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
  return { status, taken: rig.backend.taken };
}

const runs = (numRuns: number) => ({ numRuns });

it('no JSON value is a server error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 6 }), async text => {
      const { status } = await send(text);
      expect([200, 207, 400]).toContain(status);
    }),
    runs(300),
  );
});

it('no value of an alert’s members is a server error', async () => {
  const names = [
    'rule',
    'priority',
    'time',
    'output',
    'output_fields',
    'source',
    'tags',
    'hostname',
    'uuid',
    '__proto__',
  ];
  const sound = { rule: 'r', priority: 'Error', time: '2026-01-31T12:00:00Z' };
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 3 })),
      async members => {
        const { status, taken } = await send(JSON.stringify({ ...sound, ...members }));
        expect(status).toBe(taken.length === 1 ? 200 : 400);
        // What was taken can be read as JSON by whoever gets it.
        for (const alert of taken) JSON.parse(alert.json);
      },
    ),
    runs(300),
  );
});

const noise = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 300, unit: 'binary' }));
const types = fc.constantFrom(
  undefined,
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
);
const encodings = fc.constantFrom(undefined, 'gzip', 'deflate', 'br');

it('no bytes are a server error, whatever their headers say', async () => {
  await fc.assert(
    fc.asyncProperty(noise, types, encodings, fc.boolean(), async (body, type, encoding, binary) => {
      const { status, taken } = await send(body, {
        ...(type ? { 'content-type': type } : {}),
        ...(encoding ? { 'content-encoding': encoding } : {}),
        ...(binary ? { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': 's', 'ce-type': 't' } : {}),
      });
      expect(status).toBe(400);
      expect(taken).toEqual([]);
    }),
    runs(300),
  );
});

it('no CloudEvent is a server error', async () => {
  const attribute = fc.oneof(fc.constantFrom<unknown>('1.0', 'x', undefined), fc.jsonValue({ maxDepth: 2 }));
  const event = fc.record({
    specversion: fc.oneof({ weight: 5, arbitrary: fc.constant('1.0') }, attribute),
    id: attribute,
    source: attribute,
    type: attribute,
    time: attribute,
    data: fc.jsonValue({ maxDepth: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(event, async value => {
      const { status } = await send(JSON.stringify(value), {
        'content-type': 'application/cloudevents+json',
      });
      expect([200, 400]).toContain(status);
    }),
    runs(200),
  );
});

const good = fc.record({
  rule: fc.string({ minLength: 1 }),
  output: fc.string(),
  field: fc.jsonValue({ maxDepth: 2 }),
});
const goodText = ({ rule, output, field }: { rule: string; output: string; field: unknown }) =>
  JSON.stringify({
    rule,
    output,
    priority: 'notice',
    time: '2026-01-31T12:00:00Z',
    output_fields: { field },
  });
const part = fc.oneof(
  good.map(value => ({ rule: value.rule as string | undefined, text: goodText(value) })),
  fc
    .jsonValue({ maxDepth: 3 })
    // In a list a value is a value; in lines a list stands for what is in it only when it stands alone.
    .map(value => ({ rule: undefined as string | undefined, text: JSON.stringify({ value }) })),
);
const parts = fc.array(part, { minLength: 1, maxLength: 12 });

it.each([
  ['a list', (texts: string[]) => `[${texts.join(' , ')}]`],
  ['lines', (texts: string[]) => texts.join('\n')],
  ['one behind the other', (texts: string[]) => texts.join('')],
])('of several alerts in %s exactly the good ones are taken', async (_name, join) => {
  await fc.assert(
    fc.asyncProperty(parts, async all => {
      const { status, taken } = await send(join(all.map(({ text }) => text)));
      const rules = all.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
      expect(taken.map(alert => alert.rule)).toEqual(rules);
      expect(status).toBe(rules.length === all.length ? 200 : rules.length > 0 ? 207 : 400);
    }),
    runs(150),
  );
});

it('scalars and lists between good alerts of a list harm none of them', async () => {
  const mixed = fc.array(
    fc.oneof(
      good,
      fc.jsonValue({ maxDepth: 2 }).map(value => ({ bad: value })),
    ),
    { maxLength: 10 },
  );
  await fc.assert(
    fc.asyncProperty(mixed, async all => {
      const texts = all.map(one => ('rule' in one ? goodText(one) : JSON.stringify(one.bad)));
      const { taken } = await send(`[${texts.join()}]`);
      expect(taken.map(alert => alert.rule)).toEqual(all.flatMap(one => ('rule' in one ? [one.rule] : [])));
    }),
    runs(150),
  );
});

const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,40})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/);

it('numbers are kept digit for digit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(digits, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (numbers, wrapped) => {
        const fields = `{"n":[${numbers.join(',')}]}`;
        const alert = `{"rule":"r","priority":"Error","time":"2026-01-31T12:00:00Z","output_fields":${fields},"x":${numbers[0]}}`;
        const { taken } = wrapped
          ? await send(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":${alert}}`, {
              'content-type': 'application/cloudevents+json',
            })
          : await send(alert);
        expect(taken[0]!.json).toContain(`"output_fields":${fields}`);
        expect(taken[0]!.json).toContain(`"x":${numbers[0]}}`);
      },
    ),
    runs(200),
  );
});

it('no path and no query is a server error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.webPath(), fc.webQueryParameters(), async (path, query) => {
      const { status } = await send('x', {}, `/${path}?${query}`);
      expect(status).toBeLessThan(500);
    }),
    runs(150),
  );
});
