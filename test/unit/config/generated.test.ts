import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { findOutputs, toRegistry } from '../../../scripts/gen/registry.ts';
import { toExampleYaml } from '../../../src/core/config/example.ts';
import { toJsonSchema } from '../../../src/core/config/json-schema.ts';
import { loadConfig } from '../../../src/core/config/load.ts';
import { outputs } from '../../../src/outputs/index.ts';
import { load } from '../../support/config.ts';

const ROOT = new URL('../../../', import.meta.url);
const EXAMPLES = new URL('config/examples/', ROOT);
const examples = readdirSync(EXAMPLES);

// Stands for every file and variable that an example refers to.
const sources = {
  env: { SOC_WEBHOOK: 'https://a.example/1', PLATFORM_WEBHOOK: 'https://a.example/2', SIEM_TOKEN: 'token' },
  readFile(path: string) {
    if (path.endsWith('slack-webhook')) return 'https://a.example/3';
    return /\.(crt|key)$/.test(path) ? '-----BEGIN CERTIFICATE-----' : 'content';
  },
};

test('every generated file is as the definitions have it', () => {
  execFileSync(process.execPath, ['scripts/gen.ts', '--check'], { cwd: ROOT, stdio: 'pipe' });
});

describe('config/examples', () => {
  test.each(examples)('%s is accepted without a word', name => {
    const text = readFileSync(new URL(name, EXAMPLES), 'utf8');
    const config = loadConfig({ text, definitions: outputs, strict: true, ...sources });
    expect(config.warnings).toEqual([]);
    expect(config.outputs.length).toBeGreaterThan(0);
  });
});

describe('tiercel.example.yaml', () => {
  const text = toExampleYaml(outputs);

  test('has no effect as it is', () => expect(parse(text)).toBeNull());

  test('says the defaults when every line is taken', () => {
    const taken = text.replace(/^#(?! \S)/gm, '');
    const config = load(taken, { definitions: outputs, strict: true });
    expect(config.warnings).toEqual([]);
    expect(config.masked).toEqual(load('', { definitions: outputs }).masked);
  });

  test('changes no output that is on when every line is taken', () => {
    const env = {
      KAFKA_HOSTPORT: 'kafka.example:9092',
      KAFKA_TOPIC: 'falco',
      LOKI_HOSTPORT: 'https://loki.example',
      SLACK_WEBHOOKURL: 'https://slack.example',
    };
    const deliveries = (file: string) =>
      load(file, { definitions: outputs, env }).outputs.map(({ id, delivery, fingerprint }) => ({
        id,
        delivery,
        fingerprint,
      }));
    const taken = deliveries(text.replace(/^#(?! \S)/gm, ''));
    expect(taken.map(({ id }) => id)).toEqual(['kafka', 'loki', 'slack']);
    expect(taken).toEqual(deliveries(''));
  });
});

describe('JSON Schema', () => {
  const schema = z.fromJSONSchema(toJsonSchema(outputs) as never);

  test.each(examples)('takes %s', name => {
    const result = schema.safeParse(parse(readFileSync(new URL(name, EXAMPLES), 'utf8')));
    expect(result.error?.issues ?? []).toEqual([]);
  });

  test.each([
    ['a key that is not known', { listenprt: 1 }],
    ['a key of an output that is not known', { slack: { webhookurl: 'https://x.example', chanel: 'x' } }],
    ['a number out of range', { listenport: 70_000 }],
    ['a word that is not known', { longfields: 'kep' }],
    ['an instance without a name', { slack: [{ webhookurl: 'https://x.example' }] }],
    ['no duration', { delivery: { timeout: '10x' } }],
  ])('refuses %s', (_, value) => expect(schema.safeParse(value).success).toBe(false));
});

describe('registry', () => {
  test('names every output by a word that hides nothing', () => {
    const text = toRegistry([
      { name: 'aws-sqs', path: './aws-sqs.ts' },
      { name: 'console', path: './console.ts' },
      { name: 'kafka', path: './kafka/index.ts' },
    ]);
    expect(text).toContain("import awsSqsOutput from './aws-sqs.ts';");
    expect(text).toContain('  consoleOutput,\n  kafkaOutput,\n];');
  });

  test('holds every output there is', () => {
    const found = findOutputs(new URL('src/outputs/', ROOT).pathname).map(({ name }) => name);
    expect(outputs.map(({ name }) => name.replaceAll('.', '-'))).toEqual(found);
  });

  test('loads no client library', () => {
    const script = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
      await import('./src/outputs/index.ts');
      console.log(JSON.stringify(seen));`;
    const seen = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const packages = new Set(
      [...seen.matchAll(/node_modules\/((?:@[^/"]+\/)?[^/"]+)/g)].map(([, name]) => name),
    );
    // Those that the configuration is read with.
    expect([...packages].sort()).toEqual(['yaml', 'zod']);
  });
});
