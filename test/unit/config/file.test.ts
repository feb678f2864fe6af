import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { KNOWN_OUTPUTS } from '../../../src/core/config/falcosidekick-keys.ts';
import { load, problemsOf, warningsOf } from '../../support/config.ts';

const HOOK = 'https://hooks.example/services/token';

describe('a file', () => {
  test('may be empty, or only comments', () => {
    for (const text of ['', '# nothing\n', '---\n', '\uFEFF', 'null']) {
      const config = load(text);
      expect(config.outputs).toEqual([]);
      expect(config.warnings).toEqual([]);
      expect(config.server.port).toBe(2801);
    }
  });

  test('may be JSON, with tabs and a byte order mark', () => {
    const config = load(`\uFEFF{\n\t"listenport": 2900,\n\t"slack": { "webhookurl": "${HOOK}" }\n}`);
    expect(config.server.port).toBe(2900);
    expect(config.outputs.map(({ id }) => id)).toEqual(['slack']);
  });

  test('is read without regard to the case of keys', () => {
    const config = load(`ListenPort: 2900\nSLACK:\n  WebhookUrl: ${HOOK}\n  minimumPriority: Error\n`);
    expect(config.server.port).toBe(2900);
    expect(config.outputs[0]!.minimumPriority).toBe('Error');
    expect(config.warnings).toEqual([]);
  });

  test('keys without a value have their default', () => {
    const config = load('slack:\nlistenport:\ncustomfields: ~\ndelivery:\n  timeout:\n');
    expect(config.server.port).toBe(2801);
    expect(config.enrich.customFields).toEqual({});
  });

  test('anchors and merges work, their copies are separate', () => {
    const config = load(`
slack:
  - &base
    name: a
    webhookurl: ${HOOK}
    labels: { team: x }
  - <<: *base
    name: b
    channel: ops
`);
    expect(config.outputs.map(({ id, config }) => [id, config.channel, config.labels])).toEqual([
      ['slack.a', '', { team: 'x' }],
      ['slack.b', 'ops', { team: 'x' }],
    ]);
  });

  test('an empty value is none, whatever the key takes', () => {
    const yaml = [
      'debug: ""',
      'listenport: ""',
      'ingest: { maxbody: "" }',
      'delivery: { timeout: "" }',
      `slack: { webhookurl: "${HOOK}", checkcert: "", maxconcurrentrequests: "", minimumpriority: "" }`,
    ].join('\n');
    expect(load(yaml).masked).toEqual(load(`slack: { webhookurl: "${HOOK}" }`).masked);
  });

  test('text keys keep the text of numbers and flags as they were written', () => {
    const config = load(
      `slack: { webhookurl: "${HOOK}", channel: 0123 }\ncustomfields: { a: 12345678901234567890, b: true, c: 1.50 }`,
    );
    expect(config.outputs[0]!.config.channel).toBe('0123');
    expect(config.enrich.customFields).toEqual({ a: '12345678901234567890', b: 'true', c: '1.50' });
  });

  test('field names are lower-cased and may hold dots', () => {
    expect(load('customfields: { K8s.Cluster: prod }').enrich.customFields).toEqual({
      'k8s.cluster': 'prod',
    });
  });
});

describe('what is wrong is told with its line', () => {
  test.each([
    ['a tab as indentation', 'slack:\n\twebhookurl: x', 'line 2: a tab cannot indent; use spaces'],
    [
      'an open bracket',
      'kafka: {hostport: "a:1", topic: t\ndebug: true\n',
      'line 2: wrong indentation, or a closing ] or } is missing',
    ],
    ['an open quote', 'listenport: "1\n', 'line 2: a closing quote, bracket, comma or colon is missing'],
    [
      'a key given twice',
      'listenport: 1\ndebug: true\nListenPort: 2',
      'line 3: ListenPort: this key is given twice, first on line 1',
    ],
    [
      'several documents',
      'debug: true\n---\ndebug: false',
      'line 2: the file holds several documents; leave one, without `---`',
    ],
    ['a list at the top', '- slack', 'line 1: expected a map of settings, `key: value`'],
    ['a text at the top', 'slack', 'line 1: expected a map of settings, `key: value`'],
    [
      'an alias without anchor',
      'debug: *x',
      'line 1: debug: this alias stands before its anchor, or has none',
    ],
    [
      'a number out of range',
      'debug: true\nlistenport: 70000',
      'line 2: listenport: expected a whole number from 0 to 65535, found "70000"',
    ],
    [
      'a fraction',
      'listenport: 1.5',
      'line 1: listenport: expected a whole number from 0 to 65535, found "1.5"',
    ],
    ['no flag', 'debug: maybe', 'line 1: debug: expected true or false, found "maybe"'],
    [
      'no duration',
      'delivery:\n  timeout: 10x',
      'line 2: delivery.timeout: expected a duration such as 500ms, 10s, 5m, 24h or 7d, at least 1ms, at most 24d, found "10x"',
    ],
    [
      'no time for a try',
      'delivery: { timeout: 0s }',
      'line 1: delivery.timeout: expected a duration such as 500ms, 10s, 5m, 24h or 7d, at least 1ms, at most 24d, found "0s"',
    ],
    [
      'no pause between tries',
      'delivery: { retry: { min: 0s } }',
      'line 1: delivery.retry.min: expected a duration such as 500ms, 10s, 5m, 24h or 7d, at least 1ms, at most 24d, found "0s"',
    ],
    [
      'no pause between probes',
      'delivery: { breaker: { max: 9ms } }',
      'line 1: delivery.breaker.max: expected a duration such as 500ms, 10s, 5m, 24h or 7d, at least 10ms, at most 24d, found "9ms"',
    ],
    [
      'a body that may hold nothing',
      'ingest: { maxbody: 0 }',
      'line 1: ingest.maxbody: expected a size such as 512KiB, 64MiB or 1GiB, at least 1, found "0"',
    ],
    [
      'another encoding than UTF-8',
      Buffer.from('listenport: 2802', 'utf16le').toString(),
      'this is no UTF-8 text; save the file as UTF-8',
    ],
    [
      'a wait beyond what timers can do',
      'shutdown: { grace: 30d }',
      'line 1: shutdown.grace: expected a duration such as 500ms, 10s, 5m, 24h or 7d, at most 24d, found "30d"',
    ],
    [
      'a token that no header can carry',
      'auth: { token: two words }',
      'line 1: auth.token: expected printable ASCII without spaces: nothing else gets through a header',
    ],
    [
      'a secret path of several parts',
      'auth: { path: a/b }',
      'line 1: auth.path: expected one part of a path, of letters, digits and . _ ~ - only',
    ],
    [
      'a secret path that is a page',
      'auth: { path: metrics }',
      'line 1: auth.path: expected something else than the name of a page of the daemon',
    ],
    [
      'no size',
      'spool: { maxbytes: big }',
      'line 1: spool.maxbytes: expected a size such as 512KiB, 64MiB or 1GiB, found "big"',
    ],
    [
      'a word not known',
      'longfields: kep',
      'line 1: longfields: expected one of keep, cut, found "kep" (did you mean keep?)',
    ],
    [
      'a text for a group',
      'spool: ./data',
      'line 1: spool: expected a map with driver, path, durability, maxbytes, maxage, overflow, memorybytes, segmentbytes, history, keepremoved, servers, stream, replicas, username, password, token, nkey, credentials, tls, bufferbytes, found a text',
    ],
    [
      'a map for a text',
      'customfields:\n  a:\n    b: c',
      'line 2: customfields.a: expected a text, found a map',
    ],
    [
      'a list for a map',
      'customfields: [a]',
      'line 1: customfields: expected a map of texts, or name:value pairs with commas between them, found a list',
    ],
    [
      'no URL',
      'slack:\n  webhookurl: hooks.example',
      'line 2: slack.webhookurl: expected a URL that starts with http:// or https://, found a text that is none',
    ],
    [
      'another scheme',
      'slack:\n  webhookurl: ftp://x',
      'line 2: slack.webhookurl: expected a URL that starts with http:// or https://, found one that starts with ftp://',
    ],
    [
      'a bad template',
      'templatedfields:\n  a: "x"\n  b: "{{ .c"',
      'line 3: templatedfields.b: not a template: an action is not closed; expected }}',
    ],
    [
      'a text for an output',
      'slack: yes',
      'line 1: slack: expected a map of settings, or a list of them, found a text',
    ],
  ])('%s', (_, text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });

  test('all at once, in the order of the file', () => {
    const problems = problemsOf(`listenport: x
slack:
  webhookurl: nowhere
  size: 11
delivery:
  retry: { min: 1h }
  breaker: { failures: 0 }
`);
    expect(problems.map(problem => problem.split(':').slice(0, 2).join(':'))).toEqual([
      'line 1: listenport',
      'line 3: slack.webhookurl',
      'line 4: slack.size',
      'line 6: delivery.retry',
      'line 7: delivery.breaker.failures',
    ]);
  });

  test('a certificate of the server that is none', () => {
    const yaml = 'tlsserver: { deploy: true, certfile: /pem/crt, keyfile: /pem/key }';
    const files = { '/pem/crt': 'garbage', '/pem/key': '-----BEGIN PRIVATE KEY-----' };
    expect(problemsOf(yaml, { files })).toEqual([
      'line 1: tlsserver.certfile: /pem/crt is not in PEM format',
    ]);
  });

  test('a file that is not there', () => {
    expect(problemsOf('slack: { tls: { ca: /nowhere.pem }, webhookurl: "https://x.example" }')).toEqual([
      'line 1: slack.tls: cannot read /nowhere.pem: there is no such file',
    ]);
  });

  test('aliases that unfold without end', () => {
    const bomb = ['a: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 9; level++) {
      bomb.push(
        `${'abcdefghi'[level]}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      );
    }
    expect(problemsOf(bomb.join('\n')).join()).toContain('aliases repeat too much');
    expect(problemsOf('a: &x [*x]').join()).toContain('aliases repeat too much');
  });

  test('values nested too deeply', () => {
    expect(problemsOf(`a: ${'['.repeat(2000)}${']'.repeat(2000)}`).join()).toContain('nested too deeply');
  });
});

describe('unknown keys', () => {
  const text = `slack:\n  webhookurl: ${HOOK}\n  chanel: ops\nlistenprt: 1\nspool: { pth: /x }\nqqqq: 1\n`;
  const expected = [
    'line 3: slack.chanel: unknown key; it is ignored (did you mean channel?)',
    'line 4: listenprt: unknown key; it is ignored (did you mean listenport?)',
    'line 5: spool.pth: unknown key; it is ignored (did you mean path?)',
    'line 6: qqqq: unknown key; it is ignored',
  ];

  test('are warnings at run', () => expect(warningsOf(text)).toEqual(expected));

  test('are errors when strict', () => expect(problemsOf(text, { strict: true })).toEqual(expected));

  test('are pointed to their place when there is only one', () => {
    expect(warningsOf('maxbody: 1MiB')).toEqual([
      'line 1: maxbody: unknown key; it is ignored (did you mean ingest.maxbody?)',
    ]);
  });

  test('are not repeated when they are no plain words', () => {
    expect(warningsOf('"https://hooks.example/secret": 1').join()).not.toContain('secret');
  });
});

test("keys of falcosidekick's outputs are checked for unknown ones", () => {
  expect(warningsOf('datadog: { apikee: x }')).toEqual([
    'line 1: datadog.apikee: unknown key; it is ignored (did you mean apikey?)',
  ]);
});

test('a name without a value in a map is none, as in falcosidekick', () => {
  const { enrich, outputs } = load(
    `customfields: { none: , nil: ~, empty: "" }
templatedfields: { none: }
customtags: [a, ~]
slack: { webhookurl: https://a.example/b, labels: { none: , b: c }, customheaders: { x-none: } }`,
  );
  expect(enrich.customTags).toEqual(['a', '']);
  expect(enrich.customFields).toEqual({ empty: '' });
  expect(enrich.templatedFields).toEqual({});
  expect(outputs[0]!.config.labels).toEqual({ b: 'c' });
  expect(outputs[0]!.connection.headers).toEqual({});
});

describe("falcosidekick's whole file", () => {
  // Every key of every output with an empty value, as its example file has them.
  const tree: Record<string, unknown> = {};
  for (const { section, keys } of KNOWN_OUTPUTS) {
    for (const key of keys) {
      const path = `${section}.${key}`.split('.');
      const last = path.pop()!;
      let at = tree;
      for (const part of path) {
        at[part] ??= {};
        at = at[part] as Record<string, unknown>;
      }
      at[last] = '';
    }
  }

  test('is accepted without a word, also when strict', () => {
    expect(warningsOf(stringify({ ...tree, kafka: {}, slack: {} }), { strict: true })).toEqual([]);
  });

  test('keys that have no effect here are told of', () => {
    expect(
      warningsOf('slack: { footer: x }\nprometheus: { extralabelslist: [a] }', { strict: true }),
    ).toEqual([
      'line 1: slack.footer: this key of falcosidekick has no effect here',
      'line 2: prometheus.extralabelslist: this key of falcosidekick has no effect here',
    ]);
  });
});
