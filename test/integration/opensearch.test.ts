import { afterAll, beforeAll, expect, test } from 'vitest';
import elasticsearch from '../../src/outputs/elasticsearch/index.ts';
import { closeClients } from '../support/http-client.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { failureOf, type Logged, openOutput, trySend } from '../support/services/drive.ts';
import { httpHostOf } from '../support/services/http.ts';
import { describeWith } from '../support/services/need.ts';
import { missingOpensearch, type Opensearch, startOpensearch } from '../support/services/opensearch.ts';
import { freePort } from '../support/services/process.ts';
import { openTemplated } from '../support/services/template.ts';

describeWith('opensearch', missingOpensearch(), () => {
  let server: Opensearch;

  beforeAll(async () => {
    server = await startOpensearch();
  }, 200_000);
  afterAll(async () => {
    await closeClients();
    await server?.stop();
  });

  const open = (config: object, logged: Logged[] = []) =>
    openOutput(elasticsearch, { hostport: server.url, ...config }, httpHostOf({}, logged));
  const outputsIn = async (pattern: string) =>
    (await server.documents(pattern)).map(({ _source }) => _source.output).sort();

  test('an alert is a document in the index of the day', async () => {
    const alert = falcoAlert({ output: '“quoted” 日本語 \\ \n' });
    await trySend(await open({ index: 'one' }), [alert]);
    const [stored, ...others] = await server.documents('one-*');
    expect(others).toEqual([]);
    expect(stored!._index).toMatch(/^one-\d{4}\.\d\d\.\d\d$/);
    expect(stored!._source).toMatchObject({
      uuid: alert.uuid,
      output: alert.output,
      rule: alert.rule,
      '@timestamp': alert.time,
      tags: ['shell'],
    });
  });

  test.each([[false], [true]])('a batch is stored whole, compressed: %s', async enablecompression => {
    const index = `batch${enablecompression}`;
    const output = await open({ index, suffix: 'none', enablecompression, batching: { enabled: true } });
    const alerts = falcoAlerts(500);
    await trySend(output, alerts.slice(0, 499));
    await trySend(output, alerts.slice(499));
    expect(await outputsIn(index)).toEqual(alerts.map(alert => alert.output).sort());
  });

  test.each([[false], [true]])("documents of the user's own are stored, batches: %s", async enabled => {
    const index = `own${enabled}`;
    const config = { hostport: server.url, index, suffix: 'none', batching: { enabled } };
    const body = '{\n  "title": {{ toJson .Rule }},\n  "said": {{ toJson .Output }}\n}\n';
    const output = await openTemplated(elasticsearch, config, body, httpHostOf());
    const alerts = falcoAlerts(2, { rule: '“R” \n' });
    for (const group of enabled ? [alerts] : alerts.map(alert => [alert])) await trySend(output, group);
    const stored = (await server.documents(index)).map(({ _source }) => _source);
    expect(stored).toHaveLength(2);
    expect(stored).toEqual(
      expect.arrayContaining(alerts.map(({ rule, output }) => ({ title: rule, said: output }))),
    );
  });

  test.each([[false], [true]])(
    'a field of another type than before costs no alert, batches: %s',
    async batches => {
      const index = `types${batches}`;
      const logged: Logged[] = [];
      const output = await open({ index, suffix: 'none', batching: { enabled: batches } }, logged);
      await trySend(output, [falcoAlert({}, { port: 443, user: 'a' })]);
      const others = [falcoAlert({}, { port: 'https', user: 'b' }), falcoAlert({}, { port: 80, user: 'c' })];
      for (const group of batches ? [others] : others.map(one => [one])) await trySend(output, group);
      const users = (await server.documents(index)).map(({ _source }) =>
        JSON.stringify(_source.output_fields),
      );
      expect(users).toHaveLength(3);
      expect(users.join()).toContain('"b"');
      expect(logged).toMatchObject([{ level: 'warn' }]);
    },
  );

  test('an index that takes no documents refuses each alert by itself', async () => {
    await server.put('/strict', {
      mappings: { dynamic: 'strict', properties: { rule: { type: 'keyword' } } },
    });
    const output = await open({ index: 'strict', suffix: 'none', batching: { enabled: true } });
    expect(await failureOf(trySend(output, falcoAlerts(2)))).not.toMatchObject({ name: 'RetriableError' });
    expect(await server.documents('strict')).toEqual([]);
  });

  test('an index template is made once, for fields without dots', async () => {
    const config = { index: 'shaped', createindextemplate: true, numberofreplicas: 0 };
    await open(config);
    await trySend(await open(config), [falcoAlert()]);
    const [stored] = await server.documents('shaped-*');
    expect(stored!._source.output_fields).toMatchObject({ container_id: '7f3c2a' });
    const templates = await server.get<{ index_templates: { name: string }[] }>('/_index_template/shaped');
    expect(templates.index_templates).toHaveLength(1);
    const settings = await server.get<Record<string, { settings: { index: { number_of_shards: string } } }>>(
      `/${stored!._index}/_settings`,
    );
    expect(settings[stored!._index]!.settings.index.number_of_shards).toBe('3');
  });

  test('a probe finds it, and does not where there is nothing', async () => {
    await (await open({})).probe!(AbortSignal.timeout(10_000));
    const away = await open({ hostport: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(away.probe!(AbortSignal.timeout(10_000)))).toMatchObject({ reason: 'network' });
  });
});
