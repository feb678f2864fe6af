import { describe, expect, test } from 'vitest';
import { configFor, fillIn, merge, type System, splitWords } from '../../../bench/command.ts';

const PORTS = { alerts: 4000, health: 4001 };
const falcosidekick: System = { name: 'x', words: [], dialect: 'falcosidekick', extra: {} };

test.each([
  ['daemon -c {config}', ['daemon', '-c', '{config}']],
  [`  "my daemon" --text='a "b" c'  x`, ['my daemon', '--text=a "b" c', 'x']],
  [`a '' b`, ['a', '', 'b']],
])('%j splits into words', (text, words) => expect(splitWords(text)).toEqual(words));

test('placeholders are filled in, and paths that exist become full ones', () => {
  const words = ['node', 'src/main.ts', '-c', '{config}', '--port={port}', 'no/such'];
  expect(fillIn(words, { config: '/x/c.yaml', dir: '/x/data', port: '4000' })).toEqual([
    'node',
    `${process.cwd()}/src/main.ts`,
    '-c',
    '/x/c.yaml',
    '--port=4000',
    'no/such',
  ]);
});

test('maps are merged at any depth, lists are replaced', () => {
  const under = { a: { b: 1, c: { d: 1 } }, list: [1, 2] };
  expect(merge(under, { a: { c: { e: 2 } }, list: [3], f: 4 })).toEqual({
    a: { b: 1, c: { d: 1, e: 2 } },
    list: [3],
    f: 4,
  });
  expect(under).toEqual({ a: { b: 1, c: { d: 1 } }, list: [1, 2] });
});

describe('configuration', () => {
  test('falcosidekick: one section for each kind, HTTPS without a look at the certificate', () => {
    const outputs = [
      { kind: 'webhook' as const, url: 'http://127.0.0.1:1' },
      { kind: 'loki' as const, url: 'https://127.0.0.1:2', settings: { format: 'json' } },
    ];
    const system = { ...falcosidekick, extra: { webhook: { minimumpriority: 'error' } } };
    expect(JSON.parse(configFor(system, PORTS, outputs))).toEqual({
      listenaddress: '127.0.0.1',
      listenport: 4000,
      webhook: { address: 'http://127.0.0.1:1/webhook', minimumpriority: 'error' },
      loki: { hostport: 'https://127.0.0.1:2', checkcert: false, format: 'json' },
    });
  });

  test('several outputs of a kind have names', () => {
    const outputs = [1, 2].map(port => ({ kind: 'slack' as const, url: `http://127.0.0.1:${port}` }));
    expect(JSON.parse(configFor(falcosidekick, PORTS, outputs))).toMatchObject({
      slack: [
        { name: 'n0', webhookurl: 'http://127.0.0.1:1/slack' },
        { name: 'n1', webhookurl: 'http://127.0.0.1:2/slack' },
      ],
    });
  });

  test('Benthos: a client for each output, and an error for what it has not', () => {
    const system: System = { ...falcosidekick, dialect: 'benthos' };
    const outputs = [1, 2].map(port => ({ kind: 'slack' as const, url: `http://127.0.0.1:${port}` }));
    expect(JSON.parse(configFor(system, PORTS, outputs))).toMatchObject({
      http: { address: '127.0.0.1:4001' },
      input: { http_server: { address: '127.0.0.1:4000' } },
      output: { broker: { outputs: [{ http_client: { url: 'http://127.0.0.1:1/slack' } }, {}] } },
    });
    expect(() => configFor(system, PORTS, [{ kind: 'nats', url: 'nats://127.0.0.1:3' }])).toThrow(
      'no nats output',
    );
  });
});
