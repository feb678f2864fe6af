import { flag, text, url } from '../core/keys.ts';
import { answeredObject } from './_kit/answer.ts';
import { ensure } from './_kit/ensure.ts';
import { defineHttpOutput, type HttpMessage } from './_kit/http.ts';
import { toLines } from './_kit/ndjson.ts';
import { expectNoneRefused } from './_kit/refused.ts';
import { joinUrl } from './_kit/url.ts';

interface QuickwitConfig {
  hostport: string;
  apiendpoint: string;
  index: string;
  version: string;
}

const HEADERS = { 'content-type': 'application/json; charset=utf-8' };

/** An address of the API; `apiendpoint` may come with or without slashes around it. */
function toUrl(config: QuickwitConfig, path: string): string {
  return joinUrl(joinUrl(config.hostport, `/${config.apiendpoint.replace(/^\/+/, '')}`), `/${path}`);
}

function toRequest(config: QuickwitConfig, body: Buffer): HttpMessage {
  return { url: toUrl(config, `${encodeURIComponent(config.index)}/ingest`), body };
}

/** The index as falcosidekick makes it: https://quickwit.io/docs/configuration/index-config. */
export function toIndex(config: Pick<QuickwitConfig, 'index' | 'version'>): object {
  const field = (name: string, type: string, fast = true) => ({ name, type, fast });
  return {
    index_id: config.index,
    version: config.version,
    search_settings: {
      default_search_fields: ['rule', 'source', 'output', 'priority', 'hostname', 'tags'],
    },
    doc_mapping: {
      mode: 'dynamic',
      dynamic_mapping: {
        description: 'Falco',
        indexed: true,
        stored: true,
        tokenizer: 'raw',
        record: 'basic',
        expand_dots: true,
        fast: true,
      },
      field_mappings: [
        field('time', 'datetime'),
        field('uuid', 'text'),
        field('hostname', 'text'),
        field('priority', 'text'),
        field('source', 'text'),
        field('output', 'text', false),
        field('rule', 'text'),
        field('tags', 'array<text>'),
        field('output_fields', 'json'),
      ],
      timestamp_field: 'time',
      store_source: true,
    },
  };
}

export default defineHttpOutput({
  name: 'quickwit',
  title: 'Quickwit',
  category: 'logs',
  docs: 'Stores alerts in an index of Quickwit, see https://quickwit.io/docs/reference/rest-api.',
  keys: {
    hostport: url('Address of Quickwit; setting it turns the output on.'),
    apiendpoint: text('Path of the API.', 'api/v1'),
    index: text('Index.', 'falco'),
    version: text('Version of the index configuration, for `autocreateindex`.', '0.7'),
    autocreateindex: flag('Whether the index is made when it is not there.'),
  },
  enabledBy: 'hostport',
  async prepare(config, host) {
    if (!config.autocreateindex) return;
    const described = toUrl(config, `indexes/${encodeURIComponent(config.index)}/describe`);
    await ensure(host, {
      check: { url: described, headers: HEADERS },
      create: {
        method: 'POST',
        url: toUrl(config, 'indexes'),
        headers: HEADERS,
        body: JSON.stringify(toIndex(config)),
      },
      exists: answer => /already exists/i.test(answer),
    });
  },
  // A request has 10 MB at most: https://quickwit.io/docs/reference/rest-api#ingest-data-into-an-index.
  batch: { items: 1000, bytes: 5_000_000, waitMs: 200 },
  concurrency: 8,
  request: (alert, config) => toRequest(config, alert.bytes),
  requestBatch: (alerts, config) => toRequest(config, toLines(alerts)),
  verdict: (response, alerts) =>
    expectNoneRefused(answeredObject(response.body).num_rejected_docs, alerts.length, response),
  example: { hostport: 'http://quickwit.example:7280' },
});
