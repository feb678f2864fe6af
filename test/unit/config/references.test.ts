// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references in configuration files
import { describe, expect, test } from 'vitest';
import { outputs } from '../../../src/outputs/index.ts';
import { load, problemsOf } from '../../support/config.ts';

const slack = (webhookurl: string) => `slack:\n  webhookurl: ${webhookurl}\n`;
const hookOf = (yaml: string, input = {}) => load(yaml, input).outputs[0]!.config.webhookurl;

describe('references in the file', () => {
  test('to the environment', () => {
    expect(hookOf(slack('${env:HOOK}'), { env: { HOOK: 'https://a.example/x' } })).toBe(
      'https://a.example/x',
    );
    expect(hookOf(slack('https://${env:HOST}/${env:PATH_PART:-none}'), { env: { HOST: 'b.example' } })).toBe(
      'https://b.example/none',
    );
    expect(hookOf(slack('${env:HOOK:-https://c.example/x:-y}'), { env: { HOOK: '' } })).toBe(
      'https://c.example/x:-y',
    );
  });

  test('to files, also beside the configuration', () => {
    const files = {
      '/run/hook': 'https://a.example/x\r\n',
      '/etc/tiercel/secrets/hook': 'https://b.example/y\n\n',
    };
    expect(hookOf(slack('${file:/run/hook}'), { files })).toBe('https://a.example/x');
    const config = load('auth: { username: a, password: "${file:secrets/hook}" }', { files });
    expect(config.server.auth.password).toBe('https://b.example/y\n');
    expect(config.files).toEqual(['/etc/tiercel/config.yaml', '/etc/tiercel/secrets/hook']);
  });

  test('in numbers, flags, lists and names of instances', () => {
    const config = load(
      'listenport: ${env:PORT}\ndebug: ${env:DBG}\ncustomtags: [a, "${env:TAG}"]\nspool: { maxbytes: "${env:SIZE}" }',
      { env: { PORT: '2900', DBG: 'yes', TAG: 'b', SIZE: '2GiB' } },
    );
    expect([config.server.port, config.log.level, config.enrich.customTags, config.spool.maxBytes]).toEqual([
      2900,
      'debug',
      ['a', 'b'],
      2 ** 31,
    ]);
  });

  test('are text when a second $ stands before them, like anything else with $', () => {
    const config = load('customfields: { a: "$${env:X}", b: "${other}", c: "$5 {x}" }');
    expect(config.enrich.customFields).toEqual({ a: '${env:X}', b: '${other}', c: '$5 {x}' });
  });

  test('that are empty do not turn off what asks for a secret', () => {
    const files = { '/run/token': '\n' };
    expect(problemsOf('auth: { token: "${file:/run/token}" }', { files })).toEqual([
      'line 1: auth.token: /run/token is empty',
    ]);
    expect(problemsOf('auth: { admintoken: "${env:TOKEN}" }', { env: { TOKEN: '' } })).toEqual([
      'line 1: auth.admintoken: the environment variable TOKEN is empty',
    ]);
    expect(problemsOf('Auth: { token: "${env:TOKEN}" }', { env: { TOKEN: '' } })).toEqual([
      'line 1: Auth.token: the environment variable TOKEN is empty',
    ]);
    expect(problemsOf('', { files, env: { AUTH_TOKEN_FILE: '/run/token' } })).toEqual([
      'auth.token: /run/token is empty (set by AUTH_TOKEN_FILE)',
    ]);
  });

  test('that lead nowhere are problems with line and name', () => {
    expect(
      problemsOf(`${slack('${env:NO_SUCH}')}auth:\n  token: \${file:/run/none}\n  path: \${env:}\n`),
    ).toEqual([
      'line 2: slack.webhookurl: the environment variable NO_SUCH is not set',
      'line 4: auth.token: cannot read /run/none: there is no such file',
      'line 5: auth.path: expected env:NAME or env:NAME:-default in the braces',
    ]);
  });

  test.each([
    ['an output', `${slack('${file:/none}')}  channel: soc\n`, 'line 2: slack.webhookurl'],
    [
      'a pair',
      'redis:\n  address: a:1\n  username: u\n  password: ${file:/none}\n',
      'line 4: redis.password',
    ],
    [
      'a pair above the output',
      'aws:\n  accesskeyid: k\n  secretaccesskey: ${file:/none}\n  sqs:\n    url: https://sqs.eu-west-1.amazonaws.com/1/q\n',
      'line 3: aws.secretaccesskey',
    ],
    ['the sign-in', 'auth:\n  username: u\n  password: ${file:/none}\n', 'line 3: auth.password'],
  ])('do not have the rest of %s called incomplete', (_, yaml, place) => {
    expect(problemsOf(yaml, { definitions: outputs })).toEqual([
      `${place}: cannot read /none: there is no such file`,
    ]);
  });
});

describe('secrets', () => {
  const env = { HOOK: 'https://hooks.example/services/env-secret', PW: 'p4ssw0rd' };
  const yaml = `
slack:
  webhookurl: \${env:HOOK}
  customheaders: { Authorization: Bearer header-secret }
  proxy: http://me:proxy-secret@proxy.example:3128
  channel: "x\${env:PW}y"
kafka: { hostport: a:1, topic: t, password: file-secret }
auth: { token: token-secret }
`;

  test('are collected', () => {
    const { secrets } = load(yaml, { env });
    for (const secret of [
      env.HOOK,
      'Bearer header-secret',
      'proxy-secret',
      'p4ssw0rd',
      'file-secret',
      'token-secret',
    ]) {
      expect(secrets).toContain(secret);
    }
  });

  test('are masked in what is shown', () => {
    const { masked } = load(yaml, { env });
    expect(masked.slack).toMatchObject({
      webhookurl: '***',
      customheaders: { authorization: '***' },
      proxy: 'http://***@proxy.example:3128',
      channel: 'x***y',
    });
    expect(masked.kafka).toMatchObject({ password: '***', topic: 't' });
    expect(JSON.stringify(masked)).not.toMatch(/secret|p4ss/);
  });

  test.each([
    ['nats://me:nats-secret@nats.example:4222', ['nats://***@nats.example:4222']],
    ['me:nats-secret@a:1, nats-secret@b:2', ['***@a:1', '***@b:2']],
    ['a:1,me:pw@b:2', ['a:1', '***@b:2']],
    ['nats.example:4222', ['nats.example:4222']],
  ])('of an address only the user and the password: %s', (hostport, shown) => {
    const { masked, secrets } = load(`nats: { hostport: "${hostport}" }`, { definitions: outputs });
    expect(masked.nats).toMatchObject({ hostport: shown });
    expect(JSON.stringify(masked)).not.toContain('secret');
    expect(secrets).not.toContain(hostport);
    if (hostport.includes('secret')) expect(secrets).toContain('nats-secret');
  });

  test('of an address from a file only the user and the password, and what was put into it', () => {
    const env = { NATS: 'me:nats-secret@nats.example:4222', PATH_TOKEN: 'path-secret' };
    const { masked, secrets } = load(
      'nats: { hostport: "${env:NATS}" }\nalertmanager: { hostport: "http://a.example/${env:PATH_TOKEN}" }',
      { env, definitions: outputs },
    );
    expect(masked.nats).toMatchObject({ hostport: ['***@nats.example:4222'] });
    expect(masked.alertmanager).toMatchObject({ hostport: ['http://a.example/***'] });
    expect(secrets).not.toContain(env.NATS);
  });

  test('are not in problems', () => {
    const wrong =
      yaml.replace('hostport: a:1', 'hostport: "http://u:broker-secret@b:1"') +
      'listenport: ${env:PW}\nlongfields: ${env:PW}\n';
    const problems = problemsOf(wrong, { env }).join('\n');
    expect(problems).toContain('listenport: expected');
    expect(problems).not.toMatch(/secret|p4ss/);
  });

  test('are masked in matchers, too', () => {
    const withMatch = (match: string) => `${slack('https://x.example/abc')}  match: ${match}`;
    expect(problemsOf(withMatch('{ priority: "${env:PW}" }'), { env }).join()).toContain('found "***"');
    expect(load(withMatch('{ rule: "${env:PW}" }'), { env }).masked.slack).toMatchObject({
      match: { rule: '***' },
    });
  });

  test('what is shown says the rest as the file would', () => {
    const { masked } = load(
      'slack:\n  - { name: a, webhookurl: "https://x.example/abc" }\ndelivery: { timeout: 90s }\ngcp: { functions: { name: f } }',
    );
    expect(masked).toMatchObject({
      listenport: 2801,
      delivery: { timeout: '1m30s', retry: { maxage: '24h' } },
      slack: { name: 'a', webhookurl: '***', delivery: { timeout: '1m30s' } },
      gcp: { functions: { name: 'f' } },
    });
    expect(masked).not.toHaveProperty('kafka');
  });
});
