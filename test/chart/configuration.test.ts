import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/core/config/load.ts';
import type { Config } from '../../src/core/config/types.ts';
import { formatProblem } from '../../src/core/errors.ts';
import { outputs } from '../../src/outputs/index.ts';
import {
  containerOf,
  type Manifest,
  missingHelm,
  only,
  render,
  renderSet,
  secretTexts,
  valueSets,
} from '../support/services/helm.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';

type Env = Record<string, string>;

/** The configuration that the daemon finds in its container; Secrets of others come by name. */
function seenInside(objects: readonly Manifest[], others: Record<string, Env> = {}, strict = false): Config {
  const container = containerOf(objects);
  const map = only(objects, 'ConfigMap', container.name && nameOf(objects));
  const secret = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === nameOf(objects));
  const secrets = { ...others, [nameOf(objects)]: secret ? secretTexts(secret) : {} };
  const files = new Map<string, string>();
  const { volumes } = workloadSpec(objects);
  const sources = (volumes as Manifest[]).find(({ name }) => name === 'config')?.projected.sources ?? [];
  for (const source of sources as Manifest[]) {
    if (source.configMap) {
      for (const [key, text] of Object.entries(map.data as Env)) files.set(`/etc/tiercel/${key}`, text);
    }
    for (const { key, path } of source.secret?.items ?? []) {
      files.set(`/etc/tiercel/${path}`, secrets[source.secret.name]![key]!);
    }
  }
  const env: Env = {};
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    Object.assign(env, configMapRef ? map.data : secrets[secretRef.name]);
  }
  for (const { name, value } of container.env) env[name] = value ?? 'from elsewhere';
  const file = container.args.includes('/etc/tiercel/config.yaml') ? '/etc/tiercel/config.yaml' : undefined;
  return loadConfig({
    ...(file && { file, text: files.get(file)! }),
    env,
    strict,
    definitions: outputs,
    readFile: path => {
      const text =
        files.get(path) ?? (path.startsWith('/etc/certs/') ? '-----BEGIN CERTIFICATE-----' : undefined);
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return text;
    },
  });
}

const workloadSpec = (objects: readonly Manifest[]) =>
  objects.find(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')!.spec.template.spec;
const nameOf = (objects: readonly Manifest[]) =>
  objects.find(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')!.metadata.name as string;

/** What has an effect, without where it was read. */
function effect(config: Config) {
  const { masked: _, warnings: __, secrets: ___, files: ____, outputs: instances, ...rest } = config;
  return {
    ...rest,
    outputs: instances.map(({ definition, ...one }) => ({ ...one, output: definition.name })),
  };
}

describeWith('the configuration that the chart hands to the daemon', missingHelm(), () => {
  test('is that of the falcosidekick chart, for a file of ten outputs', async () => {
    const fixture = new URL('fixtures/falcosidekick-ten-outputs.json', import.meta.url);
    const theirs = loadConfig({
      env: { ...(JSON.parse(readFileSync(fixture, 'utf8')) as Env), SPOOL_PATH: '/var/lib/tiercel' },
      definitions: outputs,
      readFile: () => {
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      },
    });
    const ours = seenInside(await renderSet('falcosidekick-ten-outputs', { validated: false }));
    expect(ours.outputs.length).toBeGreaterThanOrEqual(10);
    expect(effect(ours)).toEqual(effect(theirs));
  });

  test('differs from it where that chart would lose alerts, or find nobody', async () => {
    const config = seenInside(
      await render({
        set: ['config.kafka.hostport=k:9092,config.kafka.topic=t,config.alertmanager.hostport=http://a'],
      }),
    );
    const byName = Object.fromEntries(config.outputs.map(({ id, config: keys }) => [id, keys]));
    expect(byName.kafka).toMatchObject({ requiredacks: 'ALL' });
    expect(byName.alertmanager).toMatchObject({ endpoint: '/api/v2/alerts' });
  });

  const others = {
    alerting: {
      'slack-url': 'https://hooks.example.test/secret',
      token: 'Bearer hidden',
      SLACK_WEBHOOKURL: 'https://hooks.example.test/secret',
    },
    nats: { 'tiercel.creds': '-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n' },
    'sidekick-extra': {},
    proxies: {},
  };

  test.each(valueSets)('of %s is accepted, and every key of it is known', async set => {
    const objects = await renderSet(set, { validated: false });
    const config = seenInside(objects, others, true);
    expect(config.warnings.map(formatProblem)).toEqual([]);
  });

  test('takes a setting from a Secret that is there', async () => {
    const { outputs: instances } = seenInside(
      await renderSet('existing-secret', { validated: false }),
      others,
    );
    const slack = instances.find(({ id }) => id === 'slack')!;
    expect(slack.config.webhookurl).toBe('https://hooks.example.test/secret');
    expect(slack.minimumPriority).toBe('Warning');
  });

  test('takes single settings from Secrets that are there', async () => {
    const { outputs: instances } = seenInside(
      await renderSet('secret-references', { validated: false }),
      others,
    );
    expect(instances.map(({ id }) => id).sort()).toEqual(['slack', 'webhook']);
    const webhook = instances.find(({ id }) => id === 'webhook')!;
    expect(webhook.connection.headers).toEqual({ authorization: 'Bearer hidden' });
  });

  test('tells references in secrets from what only looks like one', async () => {
    const folder = await scratch('references');
    try {
      const file = join(folder.path, 'values.json');
      const password = `p\${4}ss\${env`;
      const customheaders = { Authorization: `Bearer \${env:TOKEN}` };
      const config = {
        elasticsearch: { hostport: 'http://es.example.test:9200', username: 'falco', password },
        webhook: { address: 'https://hooks.example.test', customheaders },
        extraEnv: [{ name: 'TOKEN', value: 'hidden' }],
      };
      await writeFile(file, JSON.stringify({ config }));
      const objects = await render({ files: [file], validated: false });
      expect(secretTexts(only(objects, 'Secret'))).toMatchObject({ 'elasticsearch.password': password });
      expect(JSON.stringify(only(objects, 'ConfigMap', nameOf(objects)))).not.toContain(password);
      const { outputs: instances } = seenInside(objects);
      const named = (name: string) => instances.find(({ id }) => id === name)!;
      expect(named('elasticsearch').config.password).toBe(password);
      expect(named('webhook').connection.headers).toEqual({ authorization: 'Bearer hidden' });
    } finally {
      await folder.remove();
    }
  });

  test('keeps instances, matchers, long numbers and headers as they are written', async () => {
    const config = seenInside(await renderSet('instances', { validated: false }));
    const slack = config.outputs.filter(({ definition }) => definition.name === 'slack');
    expect(slack.map(({ id }) => id)).toEqual(['slack.soc', 'slack.all']);
    expect(slack.map(one => one.config.webhookurl)).toEqual([
      'https://hooks.example.test/soc',
      'https://hooks.example.test/all',
    ]);
    expect(slack[0]!.match).toHaveLength(1);
    expect(slack[1]!.delivery.concurrency).toBe(1);
    const others = Object.fromEntries(config.outputs.map(one => [one.id, one]));
    expect(others.telegram!.config.chatid).toBe('-1001234567890');
    expect(others.webhook!.connection.headers).toEqual({ authorization: 'Bearer t0ken', 'x-site': '1' });
    expect(config.outputs[0]!.delivery.retry.maxAgeMs).toBe(48 * 3_600_000);
  });

  test('comes as variables where a file of one’s own is named', async () => {
    const objects = await renderSet('falcosidekick-own-file', { validated: false });
    expect(containerOf(objects).args).toEqual(['-c', '/etc/sidekick/config.yaml']);
    const config = seenInside(objects, others);
    expect(config.outputs.map(({ id }) => id).sort()).toEqual([
      'cloudevents',
      'kafka',
      'nats',
      'policyreport',
      'webhook',
    ]);
    expect(config.server.tls).toMatchObject({
      plainPaths: ['/ping', '/metrics'],
      clientCaFile: '/etc/certs/server/ca.crt',
    });
    const secret = secretTexts(only(objects, 'Secret', 'falco-tiercel'));
    expect(Object.keys(secret)).toContain('KAFKA_PASSWORD');
    expect(only(objects, 'ConfigMap', 'falco-tiercel').data).not.toHaveProperty('KAFKA_PASSWORD');
  });
});

describe('files of facts', () => {
  test('name keys that there are', () => {
    const facts = JSON.parse(
      readFileSync(new URL('../../charts/tiercel/files/outputs.json', import.meta.url), 'utf8'),
    ) as { secrets: string[] };
    expect(facts.secrets).toEqual(
      expect.arrayContaining(['slack.webhookurl', 'auth.token', 'aws.secretaccesskey']),
    );
    expect(facts.secrets).not.toContain('slack.channel');
  });
});
