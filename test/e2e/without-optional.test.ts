/**
 * A daemon that was installed with `npm ci --omit=optional` and built there: scripts/without-optional.sh makes it and
 * names it in TIERCEL_WITHOUT_OPTIONAL. What the outputs do without the packages is in test/contract/optional.test.ts.
 */
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { OutputStatus } from '../../src/core/delivery/contract.ts';
import { numbered, Sink, TestDaemon, until } from './support.ts';

const main = process.env.TIERCEL_WITHOUT_OPTIONAL;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(main === undefined)('installed without the optional packages', () => {
  test('there are none of them', () => {
    const packages = new URL('../node_modules/', `file://${main}`);
    expect(existsSync(new URL('undici', packages))).toBe(true);
    for (const name of ['@aws-sdk', '@azure', '@smithy']) {
      expect(existsSync(new URL(name, packages)), name).toBe(false);
    }
  });

  test('it starts and delivers; outputs that need one say which, and keep their alerts', async () => {
    vi.stubEnv('TIERCEL_MAIN', main);
    const sink = await new Sink().start();
    const daemon = new TestDaemon();
    cleanups.push(
      () => daemon.remove(),
      () => sink.stop(),
    );
    const config = {
      webhook: { address: sink.url },
      aws: { sqs: { url: 'https://sqs.eu-west-1.amazonaws.com/1/falco', checkidentity: false } },
      azure: { eventhub: { name: 'falco', namespace: 'ns' } },
    };
    await daemon.start(config, { env: { AWS_EC2_METADATA_DISABLED: 'true' } });
    for (let n = 0; n < 10; n++) expect(await daemon.post(numbered(n))).toBe(200);
    await until('the webhook has all', () => sink.missing(Array(10).keys()).length === 0);
    expect(sink.duplicates).toBe(0);

    const sentences = {
      awssqs:
        'the optional package @aws-sdk/credential-providers is not installed; install it, or set accesskeyid and secretaccesskey and no rolearn',
      azureeventhub:
        'the optional package @azure/identity is not installed; install it, or set connectionstring',
    };
    const { outputs } = await daemon.json<{ outputs: OutputStatus[] }>('/api/v1/status');
    for (const [id, sentence] of Object.entries(sentences)) {
      expect(outputs.find(output => output.id === id)).toMatchObject({
        depth: 10,
        deadLetters: 0,
        lastError: expect.stringContaining(sentence) as string,
      });
      expect(daemon.logs).toContain(sentence);
    }
  }, 60_000);
});
