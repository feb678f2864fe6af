/** Keys that an output takes from the section above its own. */
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/core/config/load.ts';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import kinesis from '../../../src/outputs/aws-kinesis.ts';
import sqs from '../../../src/outputs/aws-sqs/index.ts';
import { problemsOf } from '../../support/config.ts';

const definitions = [kinesis, sqs] as unknown as OutputDefinition[];
const load = (text: string, env: Record<string, string> = {}) =>
  loadConfig({ text, env, definitions, readFile: () => '' });
const only = (text: string, env?: Record<string, string>) => load(text, env).outputs[0]!.config;

const URL = 'https://sqs.eu-west-1.amazonaws.com/1/q';

test('stand for all outputs there that do not set them', () => {
  const config = `aws: { region: eu-west-1, accesskeyid: A, secretaccesskey: s3cret-key, sqs: { url: "${URL}", region: eu-west-2 } }`;
  expect(only(config)).toMatchObject({
    region: 'eu-west-2',
    accesskeyid: 'A',
    secretaccesskey: 's3cret-key',
  });
  expect(load(config).secrets).toContain('s3cret-key');
});

test('come from the environment, too', () => {
  const config = `aws: { region: eu-west-1, sqs: { url: "${URL}" } }`;
  expect(only(config, { AWS_REGION: 'eu-west-3' })).toMatchObject({ region: 'eu-west-3' });
  const both = { AWS_REGION: 'eu-west-3', AWS_SQS_REGION: 'eu-west-4' };
  expect(only(config, both)).toMatchObject({ region: 'eu-west-4' });
});

test('reach each of several', () => {
  const config = `aws: { region: eu-west-1, sqs: [{ name: a, url: "${URL}" }, { name: b, url: "${URL}", region: eu-west-2 }] }`;
  expect(load(config).outputs.map(output => output.config.region)).toEqual(['eu-west-1', 'eu-west-2']);
});

test('turn no output on, and are no reason to tell of one that is off', () => {
  const { outputs, warnings } = load('aws: { region: eu-west-1, accesskeyid: A, secretaccesskey: S }');
  expect(outputs).toEqual([]);
  expect(warnings).toEqual([]);
});

test.each([
  ['a value that is none', 'aws: { checkidentity: maybe }', {}, 'aws.checkidentity: expected true or false'],
  [
    'a variable that is none',
    '',
    { AWS_CHECKIDENTITY: 'maybe' },
    'aws.checkidentity: expected true or false',
  ],
  [
    'a file that is not there',
    '',
    { AWS_SECRETACCESSKEY_FILE: '/none' },
    'aws.secretaccesskey: cannot read /none',
  ],
])('are told of once, by the name they were given: %s', (_, yaml, env, told) => {
  const problems = problemsOf(yaml, { env, definitions });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(told);
});
