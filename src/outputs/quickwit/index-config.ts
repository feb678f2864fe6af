/** The index as falcosidekick makes it: https://quickwit.io/docs/configuration/index-config. */
export function toIndex(config: { index: string; version: string }): object {
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
