/** Settings that become part of an address. */
import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/core/config/load.ts';
import type { OutputDefinition } from '../../../src/core/contract.ts';
import { createRedactor } from '../../../src/core/redact.ts';
import alertmanager from '../../../src/outputs/alertmanager/index.ts';
import datadog from '../../../src/outputs/datadog.ts';
import elasticsearch from '../../../src/outputs/elasticsearch/index.ts';
import influxdb from '../../../src/outputs/influxdb/index.ts';
import loki from '../../../src/outputs/loki/index.ts';
import openobserve from '../../../src/outputs/openobserve.ts';
import quickwit from '../../../src/outputs/quickwit/index.ts';
import spyderbat from '../../../src/outputs/spyderbat/index.ts';
import zincsearch from '../../../src/outputs/zincsearch.ts';
import { alertOf } from '../../support/alerts.ts';
import { failureOf, patience } from '../../support/http-client.ts';
import { hostOf } from '../../support/services/drive.ts';

const alert = alertOf(
  '{"rule":"R","priority":"Notice","time":"2026-01-31T12:00:00Z","output":"o","output_fields":{}}',
);

async function send(definition: OutputDefinition, config: object, answer = { status: 200, body: '{}' }) {
  const urls: string[] = [];
  const output = await definition.open(definition.keys.parse({ ...definition.example, ...config }), {
    ...hostOf(),
    http: {
      async send({ url }) {
        urls.push(url);
        return { ...answer, headers: {} };
      },
    },
  });
  const error = await failureOf(output.send([alert], { signal: patience(), attempt: 1 }));
  return { path: urls.at(-1)!.replace(/^https?:\/\/[^/]+/, ''), error };
}

const V2 = { organization: 'o', bucket: 'b' };

test.each<[OutputDefinition, object, string]>([
  [influxdb, { ...V2, bucket: 'b%2Fc' }, '/api/v2/write?org=o&bucket=b%2Fc&precision=ns'],
  [influxdb, { ...V2, organization: 'My%20Org' }, '/api/v2/write?org=My%20Org&bucket=b&precision=ns'],
  [influxdb, { ...V2, organization: 'A & B' }, '/api/v2/write?org=A%20%26%20B&bucket=b&precision=ns'],
  [influxdb, { database: 'a%20b' }, '/write?db=a%20b&precision=ns'],
  [influxdb, { database: 'falco&rp=weekly' }, '/write?db=falco&rp=weekly&precision=ns'],
  [influxdb, { user: 'a%40b', password: 'p%26#q' }, '/write?db=falco&u=a%40b&p=p%26%23q&precision=ns'],
  [elasticsearch, { index: '%3Cfalco-%7Bnow%2Fd%7D%3E', suffix: 'none' }, '/%3Cfalco-%7Bnow%2Fd%7D%3E/_doc'],
  [elasticsearch, { index: '<falco-{now/d}>', suffix: 'none' }, '/%3Cfalco-%7Bnow%2Fd%7D%3E/_doc'],
  [elasticsearch, { type: '_doc?refresh=true', suffix: 'none' }, '/falco/_doc?refresh=true'],
  [
    elasticsearch,
    { type: '_doc?refresh=true', pipeline: 'a b', suffix: 'none' },
    '/falco/_doc?refresh=true&pipeline=a%20b',
  ],
  [openobserve, { organizationname: 'a%2Fb', streamname: 'c d' }, '/api/a%2Fb/c%20d/_multi'],
  [zincsearch, { index: 'a%20b/c?' }, '/api/a%20b%2Fc%3F/_doc'],
  [quickwit, { index: 'a%2Db%zz' }, '/api/v1/a%2Db%25zz/ingest'],
  [datadog, { apikey: 'k%2By z' }, '/api/v1/events?api_key=k%2By%20z'],
  [spyderbat, { orguid: 'o%20o' }, '/api/v1/org/o%20o/source/falcosidekick_o%20o/data/sb-agent'],
])('$name: of %o only what cannot stand there is encoded', async (definition, config, path) => {
  expect((await send(definition, config)).path).toBe(path);
});

test.each<[OutputDefinition, object, string]>([
  [alertmanager, { hostport: 'http://h/am/', endpoint: 'api/v2/alerts' }, '/am/api/v2/alerts'],
  [alertmanager, { hostport: 'http://h', endpoint: 'api/v2/alerts' }, '/api/v2/alerts'],
  [alertmanager, { hostport: 'http://h/', endpoint: '/api/v2/alerts' }, '/api/v2/alerts'],
  [loki, { hostport: 'http://h/x/', endpoint: 'push' }, '/x/push'],
  [quickwit, { hostport: 'http://h/', apiendpoint: '/api/v1/' }, '/api/v1/falco/ingest'],
])('$name: one slash between the host and the path of %o', async (definition, config, path) => {
  expect((await send(definition, config)).path).toBe(path);
});

test('a secret is masked in the form that it has in an address, and as it was meant', async () => {
  const password = 'p%26 w/rd';
  const forms = [password, 'p%26%20w/rd', 'p& w/rd'];
  const body = forms.join(' | ');
  const { error } = await send(influxdb, { user: 'u', password }, { status: 400, body });
  expect(error?.message).toContain('***');
  const { secrets } = loadConfig({
    file: 'tiercel.yaml',
    text: `influxdb: { hostport: "http://h", user: u, password: "${password}" }`,
    env: {},
    definitions: [influxdb as never],
    readFile: () => '',
  });
  for (const form of forms) {
    expect(error?.message).not.toContain(form);
    expect(createRedactor(secrets)(`/write?p=${form}&x`)).toBe('/write?p=***&x');
  }
});
