/** The columns of a Parquet file, by hyparquet's own parts: its readers for files that come in pieces are asynchronous. */
import { parquetMetadata, parquetSchema } from 'hyparquet';
import { readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getTreePath } from 'hyparquet/src/schema.js';

/** The rows of each column by its dotted path. */
export function readParquet(file: Buffer): Record<string, unknown[]> {
  const bytes = new Uint8Array(file).buffer;
  const metadata = parquetMetadata(bytes);
  const tree = parquetSchema(metadata);
  const found: Record<string, unknown[]> = {};
  for (const { columns, num_rows } of metadata.row_groups) {
    for (const { meta_data } of columns) {
      if (!meta_data) continue;
      const { path_in_schema: pathInSchema, dictionary_page_offset, data_page_offset } = meta_data;
      const start = Number(dictionary_page_offset ?? data_page_offset);
      const view = new DataView(bytes, start, Number(meta_data.total_compressed_size));
      const schemaPath = getTreePath(tree, pathInSchema);
      const { element } = schemaPath.at(-1)!;
      const rows = Number(num_rows);
      const { data } = readColumn(
        { view, offset: 0 },
        { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows },
        { ...meta_data, pathInSchema, schemaPath, element, parsers: DEFAULT_PARSERS },
      );
      const name = pathInSchema.join('.');
      found[name] = [...(found[name] ?? []), ...data.flatMap(chunk => Array.from(chunk))];
    }
  }
  return found;
}
