import { expect, test } from 'vitest';
import loki from '../../../src/outputs/loki/index.ts';
import { alertOf } from '../../support/alerts.ts';
import { patience } from '../../support/http-client.ts';
import { hostOf } from '../../support/services/drive.ts';

interface Stream {
  stream: Record<string, string>;
  values: [string, string][];
}

const alertWith = (extra: object) =>
  alertOf(
    JSON.stringify({
      rule: 'R',
      priority: 'Notice',
      time: '2026-01-31T12:00:00.000000001Z',
      source: 'syscall',
      output: 'text',
      ...extra,
    }),
  );

/** The streams of one push. */
async function push(
  alerts: ReturnType<typeof alertWith>[],
  config: object = {},
  customFields: string[] = [],
): Promise<Stream[]> {
  const bodies: string[] = [];
  const output = await loki.open(loki.keys.parse({ hostport: 'http://loki.test', ...config }), {
    ...hostOf(),
    customFields: () => customFields,
    http: {
      async send({ body }) {
        bodies.push(String(body));
        return { status: 204, headers: {}, body: '' };
      },
    },
  });
  await output.send(alerts, { signal: patience(), attempt: 1 });
  expect(bodies).toHaveLength(1);
  return JSON.parse(bodies[0]!).streams;
}

const BASE = { rule: 'R', priority: 'Notice', source: 'syscall' };

test('alerts with the same labels share a stream', async () => {
  const streams = await push([
    alertWith({ output: 'a' }),
    alertWith({ output: 'b', hostname: 'h' }),
    alertWith({ output: 'c', time: '2026-01-31T12:00:00.000000002Z' }),
  ]);
  expect(streams).toEqual([
    {
      stream: BASE,
      values: [
        ['1769860800000000001', 'a'],
        ['1769860800000000002', 'c'],
      ],
    },
    { stream: { ...BASE, hostname: 'h' }, values: [['1769860800000000001', 'b']] },
  ]);
});

test('custom fields and extra labels become labels under legal names, no two alike', async () => {
  const fields = {
    env: 'prod',
    'a.b': 'one',
    a_b: 'two',
    '9x': 'digit',
    'json.value[/user/extra]': 'path',
    source: 'mine',
    'k8s.ns.name': 'shop',
  };
  const extralabels = 'a.b,a_b, 9x,json.value[/user/extra],source,k8s.ns.name,missing';
  const [only] = await push([alertWith({ output_fields: fields })], { extralabels }, ['env']);
  expect(only!.stream).toEqual({
    ...BASE,
    env: 'prod',
    a_b: 'two',
    a_b_2: 'one',
    _9x: 'digit',
    json_value_user_extra: 'path',
    source_2: 'mine',
    k8s_ns_name: 'shop',
  });
});

test('a field has the same label in every alert', async () => {
  const [only] = await push([alertWith({ output_fields: { 'a.b': 'one' } })], { extralabels: 'a.b,a_b' });
  expect(only!.stream).toEqual({ ...BASE, a_b_2: 'one' });
});

test('numbers and flags are labels, with all digits; lists and maps are not', async () => {
  const [only] = await push(
    [
      alertOf(
        '{"rule":"R","priority":"Notice","source":"syscall","time":"2026-01-31T12:00:00Z","output":"o","output_fields":{"n":9223372036854775807,"f":true,"l":[1],"m":{},"z":null,"q":"say \\"hi\\""}}',
      ),
    ],
    { extralabels: 'n,f,l,m,z,q' },
  );
  expect(only!.stream).toEqual({ ...BASE, n: '9223372036854775807', f: 'true', q: 'say hi' });
});

test('nothing is longer than Loki takes', async () => {
  const long = '日本'.repeat(200_000);
  const [only] = await push([alertWith({ output: long, output_fields: { v: long } })], { extralabels: 'v' });
  expect(Buffer.byteLength(only!.stream.v!)).toBeLessThanOrEqual(2048);
  const line = only!.values[0]![1];
  expect(Buffer.byteLength(line)).toBeLessThanOrEqual(256 * 1024);
  expect(line).toMatch(/^(日本)+日?…$/);
});
