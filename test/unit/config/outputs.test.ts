import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineOutput } from '../../../src/core/contract.ts';
import { flag, text } from '../../../src/core/keys.ts';
import splunk from '../../../src/outputs/splunk.ts';
import { load, problemsOf, warningsOf } from '../../support/config.ts';

const HOOK = 'https://hooks.example/services/token';
const slack = (rest = '') => `slack:\n  webhookurl: ${HOOK}\n${rest}`;
const only = (yaml: string, input = {}) => load(yaml, input).outputs[0]!;

describe('instances', () => {
  test('a map is one, a list is several with a name each', () => {
    expect(only(slack()).id).toBe('slack');
    const { outputs } = load(
      `slack:\n  - { name: a, webhookurl: "${HOOK}" }\n  - { name: B, webhookurl: "${HOOK}" }`,
    );
    expect(outputs.map(({ id }) => id)).toEqual(['slack.a', 'slack.B']);
  });

  test('live below a parent where the name has a dot, and are named by `instance` where `name` is taken', () => {
    const { outputs } = load(
      'gcp:\n  credentials: x\n  functions:\n    - { instance: a, name: f }\n    - { instance: b, name: g }',
    );
    expect(outputs.map(({ id, config }) => [id, config.name])).toEqual([
      ['gcpfunctions.a', 'f'],
      ['gcpfunctions.b', 'g'],
    ]);
  });

  test('need good names of their own', () => {
    expect(
      problemsOf(`slack:
  - webhookurl: ${HOOK}
  - { name: a-b, webhookurl: "${HOOK}" }
  - { name: A_B, webhookurl: "${HOOK}" }
  - { name: a.b, webhookurl: "${HOOK}" }
  - text
`),
    ).toEqual([
      'line 2: slack[0]: each of several slack outputs needs a `name`',
      'line 4: slack[2].name: the name is already that of slack[1]',
      'line 5: slack[3].name: expected a name of letters, digits, - and _ that starts with a letter',
      'line 6: slack[4]: expected a map of settings, found a text',
    ]);
  });
});

describe('an output that is not turned on', () => {
  test('is silent when it has nothing but defaults', () => {
    expect(warningsOf('slack: { channel: "", outputformat: text, minimumpriority: "" }\nkafka:\n')).toEqual(
      [],
    );
  });

  test('is told of, with what it lacks', () => {
    expect(warningsOf('kafka:\n  hostport: a:9092\nslack: { channel: x }')).toEqual([
      'line 1: kafka: the output is off: topic not set',
      'line 3: slack: the output is off: webhookurl not set',
    ]);
  });

  test('has its own checks of what is set as warnings', () => {
    expect(warningsOf('kafka: { hostport: "ssl://a:9092" }')).toEqual([
      'line 1: kafka: the output is off: topic not set',
      'line 1: kafka.hostport: expected host:port (leave the scheme out)',
    ]);
  });
});

test("an output's own checks refuse the configuration when it is on", () => {
  expect(problemsOf('kafka:\n  topic: falco\n  hostport: ssl://a:9092')).toEqual([
    'line 3: kafka.hostport: expected host:port (leave the scheme out)',
  ]);
});

describe('which alerts', () => {
  test('a minimum priority in any case and short', () => {
    expect(only(slack('  minimumpriority: CRIT')).minimumPriority).toBe('Critical');
    expect(only(slack('  minimumpriority: ""')).minimumPriority).toBe('');
  });

  test('an unknown priority is lived with, but not when strict', () => {
    const yaml = slack('  minimumpriority: loud');
    expect(only(yaml).minimumPriority).toBe('');
    expect(warningsOf(yaml)).toHaveLength(1);
    expect(problemsOf(yaml, { strict: true }).join()).toContain(
      'line 3: slack.minimumpriority: expected one of emergency,',
    );
  });

  test('matchers keep their types and the case of their fields', () => {
    const yaml = slack('  match:\n    - { evt.num: 5, Ka.Verb: [create, true] }\n    - rule: { glob: "A*" }');
    expect(only(yaml).match).toEqual([
      { 'evt.num': 5, 'Ka.Verb': ['create', true] },
      { rule: { glob: 'A*' } },
    ]);
  });

  test('numbers of matchers that would read otherwise are texts as they are written', () => {
    const yaml =
      '{ a: 1.10, b: 5127e8914032, c: [0123, 0x1F], d: { in: [12345678901234567890, 2e0] }, e: -7 }';
    const match = { a: '1.10', b: '5127e8914032', c: ['0123', '0x1F'], e: -7 };
    expect(only(slack(`  match: ${yaml}`)).match).toEqual([
      { ...match, d: { in: ['12345678901234567890', '2e0'] } },
    ]);
  });

  test('a wrong matcher is a problem with its line', () => {
    expect(problemsOf(slack('  match:\n    - rule: x\n    - k8s.ns.name: { regex: "(" }')).join()).toMatch(
      /^line 5: slack\.match\[1\]\.k8s\.ns\.name/,
    );
  });
});

describe('delivery', () => {
  test('defaults', () => {
    expect(only(slack()).delivery).toEqual({
      from: 'now',
      timeoutMs: 10_000,
      concurrency: 64,
      retry: { maxAgeMs: 86_400_000, attempts: 0, minMs: 500, maxMs: 60_000 },
      breaker: { failures: 5, maxMs: 5_000 },
      rateLimit: { perSecond: 0, burst: 1, shared: false },
    });
  });

  test("the output's own over the global over the definition's", () => {
    const yaml = `delivery: { timeout: 3s, retry: { attempts: 4, maxage: 1h }, ratelimit: { persecond: 2.5 } }
kafka:
  hostport: a:9092
  topic: t
  delivery: { retry: { maxage: 2h }, batch: { items: 7, wait: 0s } }
`;
    expect(only(yaml).delivery).toMatchObject({
      timeoutMs: 3000,
      concurrency: 4,
      retry: { attempts: 4, maxAgeMs: 7_200_000 },
      rateLimit: { perSecond: 2.5, burst: 3 },
      batch: { items: 7, bytes: 1 << 20, waitMs: 0 },
    });
  });

  test("the output's settings may decide on batches", () => {
    const definition = defineOutput({
      name: 'logs',
      title: 'Logs',
      category: 'logs',
      docs: 'Stores somewhere.',
      keys: z.object({ address: text('Address.'), bulk: flag('Bulk.') }),
      enabled: config => config.address !== '',
      batchBy: config => (config.bulk ? { items: 50, bytes: 1000, waitMs: 5 } : undefined),
      open: async () => ({ send: async () => {} }),
      example: { address: 'a' },
    });
    const batchOf = (keys: string) =>
      only(`logs: { address: a, ${keys} delivery: { batch: { items: 20 } } }`, { definitions: [definition] })
        .delivery.batch;
    expect(batchOf('bulk: true,')).toEqual({ items: 20, bytes: 1000, waitMs: 5 });
    expect(batchOf('')).toBeUndefined();
    const yaml = (keys: string) => `logs: { address: a, ${keys} delivery: { batch: { items: 20 } } }`;
    const input = { definitions: [definition] };
    expect(warningsOf(yaml(''), input)).toEqual([
      'line 1: logs.delivery.batch: with these settings each alert goes alone',
    ]);
    // What is wrong with the output says nothing of batches.
    expect(problemsOf(yaml('bulk: perhaps,'), input).join()).not.toContain('batch');
  });

  test("a batch is never larger than the output's API takes", () => {
    const yaml = 'delivery: { batch: { items: 5000, bytes: 1GiB } }\nkafka: { hostport: a:1, topic: t }';
    expect(only(yaml).delivery.batch).toEqual({ items: 100, bytes: 1 << 20, waitMs: 10 });
    expect(only(`delivery: { batch: { items: 5 } }\n${slack()}`).delivery.batch).toBeUndefined();
    expect(warningsOf(slack('  delivery: { batch: { items: 5 } }'))).toEqual([
      'line 3: slack.delivery.batch: this output takes one alert at a time',
    ]);
  });

  test.each([
    ['', 64],
    ['  maxconcurrentrequests: 3', 3],
    ['  maxconcurrentrequests: 0', 256],
    ['  delivery: { concurrency: 9 }\n  maxconcurrentrequests: 3', 9],
    ['  delivery: { ordered: true, concurrency: 9 }', 1],
  ])('concurrency with %j', (rest, concurrency) => {
    expect(only(slack(rest)).delivery.concurrency).toBe(concurrency);
  });

  test('a global concurrency gives way to the maxconcurrentrequests of an output', () => {
    expect(only(`delivery: { concurrency: 5 }\n${slack()}`).delivery.concurrency).toBe(5);
    expect(
      only(`delivery: { concurrency: 5 }\n${slack('  maxconcurrentrequests: 2')}`).delivery.concurrency,
    ).toBe(2);
  });

  test('waits that contradict each other', () => {
    expect(problemsOf(`delivery: { retry: { max: 100ms } }\n${slack()}`)).toEqual([
      'line 1: delivery.retry: the first wait (min) is longer than the longest (max)',
    ]);
    expect(problemsOf(slack('  delivery: { retry: { min: 2m } }'))).toEqual([
      'line 3: slack.delivery.retry: the first wait (min) is longer than the longest (max)',
    ]);
  });
});

describe('connection', () => {
  const files = {
    '/etc/certs/client.crt': '-----BEGIN c-----',
    '/etc/certs/client.key': '-----BEGIN k-----',
    '/etc/certs/ca.crt': '-----BEGIN a-----',
    '/pem/ca': '-----BEGIN a-----',
    '/pem/crt': '-----BEGIN c-----',
    '/pem/key': '-----BEGIN k-----',
    '/pem/all': '-----BEGIN a-----',
  };

  test('nothing special by default', () => {
    expect(only(slack()).connection).toEqual({
      verify: true,
      caFiles: [],
      certFile: '',
      keyFile: '',
      serverName: '',
      proxy: '',
      headers: {},
    });
  });

  test('checkcert and insecure turn the check off', () => {
    expect(only(slack('  checkcert: false')).connection.verify).toBe(false);
    expect(only(slack('  tls: { insecure: true }')).connection.verify).toBe(false);
  });

  test("mutualtls takes falcosidekick's files and, as there, always checks the server", () => {
    const { connection } = only(slack('  mutualtls: true\n  checkcert: false'), { files });
    expect(connection).toMatchObject({
      verify: true,
      caFiles: ['/etc/certs/ca.crt'],
      certFile: '/etc/certs/client.crt',
      keyFile: '/etc/certs/client.key',
    });
    const own = 'mutualtlsclient: { certfile: /pem/crt, keyfile: /pem/key, cacertfile: /pem/ca }\n';
    expect(only(own + slack('  mutualtls: true'), { files }).connection).toMatchObject({
      caFiles: ['/pem/ca'],
      certFile: '/pem/crt',
      keyFile: '/pem/key',
    });
  });

  test('authorities of all outputs and of this one', () => {
    const yaml = `tlsclient: { cacertfile: /pem/all }\n${slack('  tls: { ca: /pem/ca, cert: /pem/crt, key: /pem/key, servername: x }')}`;
    expect(only(yaml, { files }).connection).toMatchObject({
      caFiles: ['/pem/ca', '/pem/all'],
      certFile: '/pem/crt',
      keyFile: '/pem/key',
      serverName: 'x',
    });
  });

  test('files that are missing, halves of a pair', () => {
    expect(problemsOf(slack('  mutualtls: true'))).toEqual([
      'line 3: slack.mutualtls: cannot read /etc/certs/client.crt: there is no such file',
      'line 3: slack.mutualtls: cannot read /etc/certs/client.key: there is no such file',
    ]);
    expect(problemsOf(slack('  tls: { cert: /pem/crt }'), { files })).toEqual([
      'line 3: slack.tls.key: a client certificate needs both files; only cert is set',
    ]);
  });

  test('headers win by name in lower case', () => {
    const yaml = slack('  customheaders: { Content-Type: text/plain, X-Url: "http://a:1" }');
    expect(only(yaml).connection.headers).toEqual({ 'content-type': 'text/plain', 'x-url': 'http://a:1' });
    const env = { SLACK_WEBHOOKURL: HOOK, SLACK_CUSTOMHEADERS: 'X-Url:http://a:1,X-Other:"a, b:c"' };
    expect(only('', { env }).connection.headers).toEqual({ 'X-Url': 'http://a:1', 'X-Other': 'a, b:c' });
  });

  test('where an output has a tls flag, a map turns it on with details', () => {
    const kafka = (tls: string) => `kafka: { hostport: a:1, topic: t, tls: ${tls} }`;
    expect(only(kafka('true')).config.tls).toBe(true);
    expect(only(kafka('false')).config.tls).toBe(false);
    const detailed = load(kafka('{ ca: /pem/ca }'), { files });
    expect(detailed.outputs[0]!.config.tls).toBe(true);
    expect(detailed.outputs[0]!.connection.caFiles).toEqual(['/pem/ca']);
    expect(detailed.masked.kafka).toMatchObject({ tls: { ca: '/pem/ca' } });
    const env = { KAFKA_TLS_CA: '/pem/ca' };
    expect(only('kafka: { hostport: a:1, topic: t }', { env, files }).config.tls).toBe(true);
    expect(only(kafka('false'), { env, files }).config.tls).toBe(false);
    expect(problemsOf(slack('  tls: true')).join()).toContain('slack.tls: expected a map with ca,');
  });
});

describe('fingerprint', () => {
  const files = { '/pem/ca': 'one' };
  const yaml = slack('  tls: { ca: /pem/ca }');
  const of = (text: string, input = {}) => only(text, { files, ...input }).fingerprint;

  test('stays for the same settings, however they were given', () => {
    expect(of(yaml)).toBe(of(`${yaml}\n# a comment\nlistenport: 5\n`));
    expect(of(yaml)).toBe(of('slack: { tls: { ca: /pem/ca } }', { env: { SLACK_WEBHOOKURL: HOOK } }));
  });

  test('moves with each setting and with the contents of its files', () => {
    const base = of(yaml);
    expect(of(`${yaml}\n  channel: x`)).not.toBe(base);
    expect(of(`${yaml}\n  minimumpriority: error`)).not.toBe(base);
    expect(of(`${yaml}\n  match: [{ rule: x }]`)).not.toBe(base);
    expect(of(`delivery: { timeout: 1s }\n${yaml}`)).not.toBe(base);
    expect(of(yaml, { files: { '/pem/ca': 'two' } })).not.toBe(base);
  });
});

describe('a rate limit for all replicas', () => {
  const warned = (path: string) =>
    `${path}delivery.ratelimit.shared: has no effect without \`spool.driver: jetstream\`: each replica keeps the limit by itself`;

  test('that holds for each by itself is told', () => {
    const limit = 'delivery: { ratelimit: { persecond: 5, shared: true } }';
    expect(warningsOf(slack(`  ${limit}`))).toEqual([warned('slack.')]);
    expect(warningsOf(`${limit}\n${slack()}`)).toEqual([warned('')]);
    expect(warningsOf(slack('  delivery: { ratelimit: { shared: true } }'))).toEqual([]);
    expect(
      warningsOf(`spool: { driver: jetstream, servers: nats://a:4222 }\n${slack(`  ${limit}`)}`),
    ).toEqual([]);
  });
});

describe('customheaders', () => {
  const headers = { Host: 'other.example', 'Content-Length': '1', 'X-Team': 'soc' };

  test('that follow from the address or the connection are left out, and told', () => {
    const yaml = slack(`  customheaders: ${JSON.stringify(headers)}\n`);
    expect(only(yaml).connection.headers).toEqual({ 'x-team': 'soc' });
    expect(warningsOf(yaml, { strict: true })).toEqual([
      'line 3: slack.customheaders.host: never sent: this header follows from the address and the connection',
      'line 3: slack.customheaders.content-length: never sent: this header follows from the address and the connection',
    ]);
  });

  test('that no request could hold are problems', () => {
    const yaml = slack('  customheaders: { "a b": x, x-team: "so\\nc", x-ok: "ř" }\n');
    expect(problemsOf(yaml)).toEqual([
      'line 3: slack.customheaders.?: not a header name',
      'line 3: slack.customheaders.x-team: the value holds a control character',
    ]);
  });

  test('do not replace what the output keeps for itself', () => {
    const hec = 'splunk: { host: "https://s.example/x", customheaders: { Authorization: zz, x-a: b }';
    const input = { definitions: [splunk] as never };
    expect(only(`${hec}, token: t }`, input).connection.headers).toEqual({ 'x-a': 'b' });
    expect(warningsOf(`${hec}, token: t }`, input).join()).toContain(
      'splunk.customheaders.authorization: no effect',
    );
    expect(only(`${hec} }`, input).connection.headers).toEqual({ authorization: 'zz', 'x-a': 'b' });
    expect(warningsOf(`${hec} }`, input)).toEqual([]);
  });
});
