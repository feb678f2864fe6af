/** What runs after `npm ci --omit=optional`: everything that needs no SDK of a cloud, and a clear sentence for the rest. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { outputs } from '../../src/outputs/index.ts';

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const hide = ['--import', pathOf('../support/hide-optional.ts')];

async function run(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', GCE_METADATA_HOST: '127.0.0.1:1' };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return stdout;
}

/** Settings by name → what came of opening the output. */
async function openAll(settings: object, options: string[] = hide): Promise<Record<string, string>> {
  const script = pathOf('../support/open-outputs.ts');
  return JSON.parse(await run(...options, script, JSON.stringify(settings))) as Record<string, string>;
}

const all = (result: string) => Object.fromEntries(outputs.map(({ name }) => [name, result]));

test('every output opens with its example', async () => {
  expect(await openAll({})).toEqual(all('open'));
}, 60_000);

const NEEDY = {
  'aws.sqs': { url: 'https://sqs.eu-west-1.amazonaws.com/1/falco', checkidentity: false },
  'aws.kinesis': {
    streamname: 'falco',
    region: 'eu-west-1',
    accesskeyid: 'AKID',
    secretaccesskey: 'x',
    rolearn: 'arn:aws:iam::1:role/x',
    checkidentity: false,
  },
  'azure.eventhub': { name: 'falco', namespace: 'ns' },
};

test('what needs a package that is not there says which, and what to do', async () => {
  const aws =
    'the optional package @aws-sdk/credential-providers is not installed; install it, or set accesskeyid and secretaccesskey and no rolearn';
  expect(await openAll(NEEDY)).toEqual({
    ...all('open'),
    'aws.sqs': aws,
    'aws.kinesis': aws,
    'azure.eventhub':
      'the optional package @azure/identity is not installed; install it, or set connectionstring',
  });
}, 60_000);

test('with the packages the same settings open', async () => {
  expect(await openAll(NEEDY, [])).toEqual(all('open'));
}, 60_000);

test('the command runs', async () => {
  const listed = await run(...hide, pathOf('../../src/main.ts'), 'outputs');
  for (const { name } of outputs) expect(listed).toContain(name);
}, 60_000);
