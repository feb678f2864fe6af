import { describe, expect, test } from 'vitest';
import { describeKeys, flatKeys } from '../../../src/core/config/catalog.ts';
import { commonKeys, ownKeys, settingsShape } from '../../../src/core/config/schema.ts';
import { outputs } from '../../../src/outputs/index.ts';
import { load, problemsOf, warningsOf } from '../../support/config.ts';

const HOOK = 'https://hooks.example/services/token';

describe('every key has a variable', () => {
  const sample: Record<string, [text: string, shown: unknown]> = {
    text: ['some-text', 'some-text'],
    flag: ['true', true],
    number: ['4', 4],
    list: ['a,b', ['a', 'b']],
    pairs: ['a:1', { a: '1' }],
    duration: ['17000ms', '17s'],
    size: ['3MiB', '3MiB'],
    priority: ['error', 'Error'],
  };
  const at = (value: unknown, path: string) =>
    path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)?.[key], value);

  const keys = flatKeys(describeKeys(settingsShape)).filter(
    ({ path }) => !/^tlsserver|segmentbytes|maxbytes|tlsclient/.test(path),
  );

  test.each(keys.map(key => [key.env, key] as const))('%s', (env, { path, meta }) => {
    const others = meta.values?.filter(value => value !== '');
    const [text, shown] = meta.form === 'enum' ? [others!.at(-1)!, others!.at(-1)] : sample[meta.form]!;
    // Some keys only work together.
    const rest: Record<string, string> =
      path === 'auth.username'
        ? { AUTH_PASSWORD: 'x' }
        : path === 'auth.password'
          ? { AUTH_USERNAME: 'x' }
          : {};
    const { masked } = load('', { env: { [env]: text, ...rest } });
    const secret = Array.isArray(shown) ? shown.map(() => '***') : '***';
    expect(at(masked, path)).toEqual(meta.secret ? secret : shown);
    expect(at(load('').masked, path)).not.toEqual(meta.secret ? '***' : shown);
  });

  test('those of outputs too, and only that key moves', () => {
    for (const definition of outputs) {
      const path = definition.name.split('.');
      const yaml = JSON.stringify(
        path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), definition.example),
      );
      const section = (env: Record<string, string>) =>
        at(load(yaml, { env, definitions: [definition] }).masked, definition.name);
      const before = section({}) as Record<string, unknown>;
      for (const key of flatKeys(describeKeys({ ...commonKeys(definition), ...ownKeys(definition) }, path))) {
        const inner = key.path.slice(definition.name.length + 1);
        // Its text would not be what the output's own check wants, or it only works with others.
        if (
          !['flag', 'enum', 'priority', 'duration', 'size'].includes(key.meta.form) ||
          /mutualtls|sasl|enabled/.test(inner)
        )
          continue;
        const values = key.meta.values?.filter(value => value !== '' && value !== key.fallback);
        const text =
          key.meta.form === 'enum'
            ? values!.at(-1)!
            : key.fallback === true
              ? 'false'
              : sample[key.meta.form]![0];
        const after = structuredClone(section({ [key.env]: text })) as Record<string, unknown>;
        expect(at(after, inner), key.env).not.toEqual(at(before, inner));
        const parts = inner.split('.');
        const last = parts.pop()!;
        (
          parts.reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], after) as Record<
            string,
            unknown
          >
        )[last] = at(before, inner);
        expect(after, key.env).toEqual(before);
      }
    }
  });
});

describe('the environment', () => {
  test('wins over the file', () => {
    const config = load(`listenport: 1\nslack: { webhookurl: "${HOOK}", channel: file }`, {
      env: { LISTENPORT: '2', SLACK_CHANNEL: 'env' },
    });
    expect(config.server.port).toBe(2);
    expect(config.outputs[0]!.config.channel).toBe('env');
  });

  test('mends a wrong value of the file', () => {
    expect(
      load('delivery: nonsense\nlistenport: x', { env: { DELIVERY_TIMEOUT: '3s', LISTENPORT: '5' } }).server
        .port,
    ).toBe(5);
  });

  test('turns outputs on without any file', () => {
    const config = load('', {
      env: { SLACK_WEBHOOKURL: HOOK, KAFKA_HOSTPORT: 'a:9092, b:9092', KAFKA_TOPIC: 'falco' },
    });
    expect(config.outputs.map(({ id }) => id)).toEqual(['slack', 'kafka']);
    expect(config.outputs[1]!.config.hostport).toEqual(['a:9092', 'b:9092']);
  });

  test('set but empty counts as not set', () => {
    const yaml = [
      'listenport: 3',
      'customfields: { a: b }',
      'templatedfields: { c: x }',
      'alertmanager: { hostport: "http://am:9093", customheaders: { x-y: z } }',
      `slack: { webhookurl: "${HOOK}", channel: x }`,
      'loki: { hostport: "http://loki:3100", extralabels: user.name }',
      'statsd: { forwarder: "s:8125", tags: [t] }',
      'webhook: { address: "http://w/", customheaders: { Authorization: Bearer t } }',
    ].join('\n');
    const env = Object.fromEntries(
      [
        'LISTENPORT',
        'SLACK_CHANNEL',
        'CUSTOMFIELDS',
        'TEMPLATEDFIELDS',
        'ALERTMANAGER_HOSTPORT',
        'ALERTMANAGER_CUSTOMHEADERS',
        'LOKI_EXTRALABELS',
        'STATSD_TAGS',
        'WEBHOOK_CUSTOMHEADERS',
      ].map(name => [name, '']),
    );
    const { masked, server } = load(yaml, { env });
    expect(server.port).toBe(3);
    expect(masked).toEqual(load(yaml).masked);
  });

  test('empty, CUSTOMTAGS and TLSSERVER_NOTLSPATHS empty what the file says', () => {
    const env = { CUSTOMTAGS: '', TLSSERVER_NOTLSPATHS: '' };
    const config = load('customtags: [a]\ntlsserver: { notlspaths: [/ping] }', { env });
    expect(config.enrich.customTags).toEqual([]);
    expect(config.masked).toMatchObject({ customtags: [], tlsserver: { notlspaths: [] } });
  });

  test('variables of parents and of container services change nothing', () => {
    const yaml = `slack: { webhookurl: "${HOOK}", channel: x }\ndelivery: { timeout: 3s }`;
    const env = {
      SLACK: 'tcp://10.0.0.1:80',
      SLACK_PORT: 'tcp://10.0.0.1:80',
      SLACK_SERVICE_HOST: '10.0.0.1',
      SLACK_SERVICE_PORT: '80',
      DELIVERY: 'x',
      DELIVERY_RETRY: 'x',
      SPOOL: '1',
      AWS: 'x',
      GCP: 'x',
    };
    const config = load(yaml, { env });
    expect(config.warnings).toEqual([]);
    expect(config.masked).toEqual(load(yaml).masked);
  });

  test('a container service variable in the place of a number is left out with a warning', () => {
    const env = { SLACK_WEBHOOKURL: HOOK, SLACK_SIZE: 'tcp://10.0.0.1:80' };
    expect(load('', { env }).outputs[0]!.config.size).toBe(5);
    expect(warningsOf('', { env }).join()).toContain('SLACK_SIZE looks like a container service variable');
  });

  test("another program's DEBUG does no harm", () => {
    expect(load('', { env: { DEBUG: 'express:*' } }).log.level).toBe('info');
    expect(load('', { env: { DEBUG: 'true' } }).log.level).toBe('debug');
  });

  test('a wrong value is told with the name of its variable', () => {
    expect(problemsOf('', { env: { LISTENPORT: 'many' } })).toEqual([
      'listenport: expected a whole number from 0 to 65535, found "many" (set by LISTENPORT)',
    ]);
  });

  test('matchers can be given as YAML or JSON', () => {
    const env = { SLACK_WEBHOOKURL: HOOK, SLACK_MATCH: '[{"priority": "error"}, {namespace: [a, b]}]' };
    expect(load('', { env }).outputs[0]!.match).toEqual([{ priority: 'error' }, { namespace: ['a', 'b'] }]);
    expect(problemsOf('', { env: { ...env, SLACK_MATCH: '[{' } }).join()).toContain('SLACK_MATCH');
  });
});

describe('NAME_FILE', () => {
  const files = { '/run/hook': `${HOOK}\n`, '/run/empty': '' };

  test('names a file with the value, without its last new line', () => {
    const config = load('', { env: { SLACK_WEBHOOKURL_FILE: '/run/hook' }, files });
    expect(config.outputs[0]!.config.webhookurl).toBe(HOOK);
    expect(config.secrets).toContain(HOOK);
    expect(config.files).toContain('/run/hook');
  });

  test('a missing file and a double setting are problems', () => {
    expect(problemsOf('', { env: { SLACK_WEBHOOKURL_FILE: '/run/none' } })).toEqual([
      'slack.webhookurl: cannot read /run/none: there is no such file (set by SLACK_WEBHOOKURL_FILE)',
    ]);
    expect(
      problemsOf('', { env: { SLACK_WEBHOOKURL: HOOK, SLACK_WEBHOOKURL_FILE: '/run/hook' }, files }),
    ).toEqual([
      'slack.webhookurl: SLACK_WEBHOOKURL and SLACK_WEBHOOKURL_FILE are both set; leave one of them',
    ]);
  });

  test('a file that belongs to somebody else is told in words', () => {
    const locked = { SLACK_WEBHOOKURL_FILE: '/run/locked' };
    expect(problemsOf('', { env: locked, refused: { '/run/locked': 'EACCES' } })).toEqual([
      'slack.webhookurl: cannot read /run/locked: this user may not use it (set by SLACK_WEBHOOKURL_FILE)',
    ]);
  });
});

describe('maps in the environment', () => {
  const fields = (env: Record<string, string>, yaml = '') => load(yaml, { env }).enrich.customFields;

  test('replace the whole map of the file', () => {
    expect(fields({ CUSTOMFIELDS: 'A:1,b:2' }, 'customfields: { c: 3 }')).toEqual({ A: '1', b: '2' });
  });

  test('values may hold colons and commas, and anything in quotes', () => {
    expect(fields({ CUSTOMFIELDS: 'u:http://x:1/y,list:a,b,c,q:"x:1, y:2 \\" z" , e:' })).toEqual({
      u: 'http://x:1/y',
      list: 'a,b,c',
      q: 'x:1, y:2 " z',
      e: '',
    });
  });

  test('NAME_KEY sets one entry', () => {
    const yaml = 'customfields: { k8s.cluster: a, other: b }';
    expect(fields({ CUSTOMFIELDS_K8S_CLUSTER: 'z', CUSTOMFIELDS_NEW: 'n' }, yaml)).toEqual({
      'k8s.cluster': 'z',
      other: 'b',
      new: 'n',
    });
    expect(fields({ CUSTOMFIELDS: 'a:1,b:2', CUSTOMFIELDS_A: '9' })).toEqual({ a: '9', b: '2' });
  });

  test('NAME_KEY_FILE reads one entry from a file', () => {
    const env = { SLACK_WEBHOOKURL: HOOK, SLACK_CUSTOMHEADERS_AUTHORIZATION_FILE: '/run/token' };
    const config = load('', { env, files: { '/run/token': 'Bearer abcdef\n' } });
    expect(config.outputs[0]!.connection.headers).toEqual({ authorization: 'Bearer abcdef' });
    expect(config.secrets).toContain('Bearer abcdef');
  });

  test('%NAME stands for another variable, here and only here', () => {
    expect(fields({ CUSTOMFIELDS: 'a:%HOST,b:x%', HOST: 'node-1' })).toEqual({ a: 'node-1', b: 'x%' });
    expect(fields({ HOST: 'node-1' }, 'customfields: { a: "%HOST" }')).toEqual({ a: '%HOST' });
    expect(fields({ CUSTOMFIELDS: 'a:%HOST,b:1' })).toEqual({ b: '1' });
    expect(warningsOf('', { env: { CUSTOMFIELDS: 'a:%HOST' } }).join()).toContain('customfields.a');
  });

  test('what is no pair is a problem', () => {
    expect(problemsOf('', { env: { CUSTOMFIELDS: 'nothing' } }).join()).toContain('name:value pairs');
  });

  test('tags lose their spaces', () => {
    expect(load('', { env: { CUSTOMTAGS: ' a b , c,' } }).enrich.customTags).toEqual(['ab', 'c']);
    expect(load('customtags: [a b, c]').enrich.customTags).toEqual(['a b', 'c']);
  });
});

describe('several instances', () => {
  const yaml = `slack:\n  - { name: soc, webhookurl: "${HOOK}" }\n  - { name: dev-ops, webhookurl: "${HOOK}" }`;

  test('have variables by place and by name', () => {
    const env = { SLACK_0_CHANNEL: 'a', SLACK_DEV_OPS_CHANNEL: 'b', SLACK_DEV_OPS_MINIMUMPRIORITY: 'error' };
    const { outputs: found } = load(yaml, { env });
    expect(found.map(({ id, config, minimumPriority }) => [id, config.channel, minimumPriority])).toEqual([
      ['slack.soc', 'a', ''],
      ['slack.dev-ops', 'b', 'Error'],
    ]);
  });

  test('a variable that says not which one is left out with a warning', () => {
    const env = { SLACK_CHANNEL: 'x' };
    expect(load(yaml, { env }).outputs.map(({ config }) => config.channel)).toEqual(['', '']);
    expect(warningsOf(yaml, { env })).toEqual([
      'slack.channel: SLACK_CHANNEL is ignored, because there are several slack outputs (set SLACK_SOC_CHANNEL)',
    ]);
    const others = { SLACK_WEBHOOKURL_FILE: '/run/hook', SLACK_DELIVERY_RETRY_MAXAGE: '1h' };
    expect(warningsOf(yaml, { env: others })).toEqual([
      'slack.webhookurl: SLACK_WEBHOOKURL_FILE is ignored, because there are several slack outputs (set SLACK_SOC_WEBHOOKURL_FILE)',
      'slack.delivery.retry.maxage: SLACK_DELIVERY_RETRY_MAXAGE is ignored, because there are several slack outputs (set SLACK_SOC_DELIVERY_RETRY_MAXAGE)',
    ]);
  });
});
