// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references in configuration files
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { settingsShape } from '../../src/core/config/schema.ts';
import type { OutputDefinition } from '../../src/core/contract.ts';
import { ConfigError, formatProblem } from '../../src/core/errors.ts';
import { outputs } from '../../src/outputs/index.ts';
import { load } from '../support/config.ts';

const SENTINEL = 'S3NTINEL-swordfish';

/** Every text that a configuration shows to somebody. */
function shown(
  yaml: string,
  env: Record<string, string>,
  strict: boolean,
  definitions?: readonly OutputDefinition[],
): string {
  try {
    const config = load(yaml, {
      env,
      strict,
      ...(definitions && { definitions }),
      files: { '/run/secret': `${SENTINEL}\n` },
    });
    return `${config.warnings.map(formatProblem).join('\n')}\n${JSON.stringify(config.masked)}`;
  } catch (error) {
    if (error instanceof ConfigError) return `${error.message}\n${JSON.stringify(error.problems)}`;
    throw error;
  }
}

const KEYS = [
  ...Object.keys(settingsShape),
  ...[
    'slack',
    'kafka',
    'gcp',
    'functions',
    'datadog',
    'aws',
    'name',
    'webhookurl',
    'channel',
    'hostport',
    'topic',
    'tls',
  ],
  ...[
    'match',
    'minimumpriority',
    'customheaders',
    'retry',
    'timeout',
    'min',
    'max',
    'batch',
    'labels',
    'password',
  ],
  ...['token', 'path', 'maxbytes', 'history', '__proto__', 'constructor', 'toString', '<<', ''],
];
const key = fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 8 }));
const word = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '10s',
    '4MiB',
    'true',
    'https://x.example/',
    '${env:A}',
    '${file:/run/secret}',
    '${env:}',
    '{{',
    'a:1,b:2',
  ),
);
const value = fc.letrec(tie => ({
  any: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('map'),
  ),
  list: fc.array(tie('any'), { maxLength: 4 }),
  map: fc.dictionary(key, tie('any'), { maxKeys: 6, noNullPrototype: true }),
}));
const env = fc.dictionary(
  fc.oneof(
    fc.constantFrom(
      'A',
      'SLACK_WEBHOOKURL',
      'SLACK_0_CHANNEL',
      'KAFKA_TLS_CA',
      'CUSTOMFIELDS',
      'CUSTOMFIELDS_A',
      'CUSTOMTAGS',
    ),
    fc.constantFrom(
      'SLACK_MATCH',
      'LISTENPORT',
      'DELIVERY_RETRY_MIN',
      'AUTH_TOKEN_FILE',
      'DEBUG',
      'SLACK',
      'GCP_FUNCTIONS_NAME',
    ),
  ),
  word,
);

const RUNS = { numRuns: 120 };

describe('whatever it is given, loadConfig throws nothing but ConfigError', () => {
  test('maps and lists of anything', () => {
    fc.assert(
      fc.property(value.map, env, fc.boolean(), (tree, variables, strict) => {
        shown(stringify(tree), variables, strict);
        shown(JSON.stringify(tree), variables, strict);
      }),
      RUNS,
    );
  });

  test('settings of the outputs that there are', () => {
    const names = outputs.flatMap(({ name, keys }) =>
      Object.keys(keys.shape).map(inner => [name, inner] as const),
    );
    const setting = fc.tuple(fc.constantFrom(...names), fc.oneof(word, value.any));
    fc.assert(
      fc.property(fc.array(setting, { maxLength: 8 }), settings => {
        const tree: Record<string, Record<string, unknown>> = {};
        for (const { name, example } of outputs) tree[name] = { ...example };
        for (const [[name, inner], content] of settings) tree[name]![inner] = content;
        shown(stringify(tree), {}, false, outputs);
      }),
      RUNS,
    );
  });

  test('text that is hardly YAML', () => {
    const bit = fc.constantFrom(
      ...'-:#&*!|>\'"%@`{}[],?\n\t \r\\~=<a1$'.split(''),
      ': ',
      '- ',
      '\n  ',
      '<<: *a',
      '&a ',
      'slack:',
    );
    fc.assert(
      fc.property(fc.array(bit, { maxLength: 60 }), fc.boolean(), (bits, strict) => {
        shown(bits.join(''), {}, strict);
      }),
      RUNS,
    );
  });
});

describe('a secret is never shown', () => {
  /** Places where a secret belongs, in right and wrong company. */
  const place = fc.constantFrom(
    (secret: string) => ({ slack: { webhookurl: secret } }),
    (secret: string) => ({ slack: { webhookurl: `https://hooks.example/${secret}` } }),
    (secret: string) => ({ slack: { webhookurl: `ftp://${secret}` } }),
    (secret: string) => ({ slack: { webhookurl: [secret] } }),
    (secret: string) => ({ slack: { webhookurl: { [secret]: secret } } }),
    (secret: string) => ({ slack: { webhookurll: secret } }),
    (secret: string) => ({ slack: [{ name: 'a', webhookurl: secret }, { webhookurl: secret }] }),
    (secret: string) => ({ slack: secret }),
    (secret: string) => ({
      slack: { webhookurl: 'https://x.example', customheaders: { authorization: secret } },
    }),
    (secret: string) => ({
      slack: { webhookurl: 'https://x.example', customheaders: `authorization:${secret}` },
    }),
    (secret: string) => ({ slack: { webhookurl: 'https://x.example', customheaders: [secret] } }),
    (secret: string) => ({ slack: { webhookurl: 'https://x.example', proxy: `http://u:${secret}@proxy` } }),
    (secret: string) => ({ slack: { webhookurl: 'https://x.example', proxy: `htp://u:${secret}@proxy` } }),
    (secret: string) => ({ kafka: { hostport: `nats://u:${secret}@x:1`, topic: 't', password: secret } }),
    (secret: string) => ({ auth: { token: secret, username: 'u' } }),
    (secret: string) => ({ auth: secret }),
    (secret: string) => ({ datadog: { apikey: secret, apikee: secret } }),
    (secret: string) => ({ unknown: secret }),
  );
  const hidden = fc.constantFrom('${file:/run/secret}', '${env:HOLDER}', 'x${env:HOLDER}y');
  const anywhere = fc.constantFrom(
    'listenport',
    'debug',
    'longfields',
    'customtags',
    'customfields',
    'spool',
    'mutualtlsfilespath',
  );

  /** The name of an instance is its label everywhere, wherever it came from. */
  const isNoLabel = (name: string) => name !== 'name';

  test('wherever it stands in the file', () => {
    fc.assert(
      fc.property(place, fc.boolean(), fc.option(key), (put, strict, broken) => {
        const tree = { ...put(SENTINEL), ...(broken !== null && { [broken]: 'x' }) };
        expect(shown(stringify(tree), {}, strict)).not.toContain(SENTINEL);
        // Torn texts are told of without quoting them.
        expect(
          shown(`${stringify(tree)}\n"open: [${SENTINEL}\n\t- ${SENTINEL}: *`, {}, strict),
        ).not.toContain(SENTINEL);
      }),
      RUNS,
    );
  });

  test('also when it comes from a file or the environment into whatever key', () => {
    fc.assert(
      fc.property(
        fc.oneof(anywhere, key).filter(isNoLabel),
        hidden,
        fc.boolean(),
        (name, reference, strict) => {
          const variables = { HOLDER: SENTINEL };
          expect(shown(stringify({ [name]: reference }), variables, strict)).not.toContain(SENTINEL);
          expect(
            shown(
              stringify({ slack: { webhookurl: 'https://x.example', [name]: reference } }),
              variables,
              strict,
            ),
          ).not.toContain(SENTINEL);
        },
      ),
      RUNS,
    );
  });

  test('also when a variable sets it', () => {
    const names = fc.constantFrom(
      'SLACK_WEBHOOKURL',
      'KAFKA_PASSWORD',
      'AUTH_TOKEN',
      'AUTH_ADMINTOKEN',
      'SLACK_CUSTOMHEADERS',
    );
    fc.assert(
      fc.property(names, fc.boolean(), fc.boolean(), (name, file, strict) => {
        const variables: Record<string, string> = file
          ? { [`${name}_FILE`]: '/run/secret' }
          : { [name]: SENTINEL };
        expect(shown('slack: { channel: x }', variables, strict)).not.toContain(SENTINEL);
      }),
      RUNS,
    );
  });
});
