/** Parquet files of findings, with the columns that falcosidekick's have. */
import type { SchemaElement } from 'hyparquet-writer';
import type { Finding } from './ocsf.ts';

/** Of a list's wrapper, see `write`. */
const WRAPPER = 'element';

const text = (name: string): SchemaElement[] => [
  { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
];
const int = (name: string): SchemaElement[] => [{ name, type: 'INT32', repetition_type: 'REQUIRED' }];
const long = (name: string): SchemaElement[] => [{ name, type: 'INT64', repetition_type: 'REQUIRED' }];
const group = (name: string, ...members: SchemaElement[][]): SchemaElement[] => [
  { name, num_children: members.length, repetition_type: 'REQUIRED' },
  ...members.flat(),
];
const list = (name: string, [item, ...members]: SchemaElement[]): SchemaElement[] => [
  { name, num_children: 1, repetition_type: 'REPEATED' },
  { ...item!, name: WRAPPER },
  ...members,
];

const COLUMNS: Record<keyof Finding, SchemaElement[]> = {
  activity_id: int('activity_id'),
  activity_name: text('activity_name'),
  category_name: text('category_name'),
  category_uid: int('category_uid'),
  classname: text('classname'),
  class_uid: int('class_uid'),
  finding: group(
    'finding',
    long('created_time'),
    text('desc'),
    text('title'),
    list('types', text('')),
    text('uid'),
  ),
  message: text('message'),
  metadata: group(
    'metadata',
    text('version'),
    group('product', text('vendor_name'), text('name')),
    list('labels', text('')),
  ),
  observables: list('observables', group('', text('name'), text('type'), int('type_id'), text('value'))),
  raw_data: text('raw_data'),
  severity: text('severity'),
  severity_id: int('severity_id'),
  state: text('state'),
  state_id: int('state_id'),
  status: text('status'),
  time: long('time'),
  type_name: text('type_name'),
  type_uid: int('type_uid'),
};

const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: Object.keys(COLUMNS).length },
  ...Object.values(COLUMNS).flat(),
];

/** Loads what writes the files. */
export function loadWriter() {
  return import('hyparquet-writer');
}

/** A file with a row for each finding, compressed with Snappy. */
export async function toParquet(findings: readonly Finding[]): Promise<Buffer> {
  const { ByteWriter, ParquetWriter } = await loadWriter();
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: SCHEMA, createdBy: 'tiercel' });
  const names = Object.keys(COLUMNS) as (keyof Finding)[];
  file.write({ columnData: names.map(name => ({ name, data: findings.map(finding => finding[name]) })) });
  unwrap(file);
  file.finish();
  return Buffer.from(writer.getBuffer());
}

/**
 * The columns of Security Lake repeat fields themselves (`finding.types`), without the wrapper that the library wants
 * around what is repeated. A required wrapper leaves no trace in the data, so that it only has to go from the footer.
 */
function unwrap(file: InstanceType<Awaited<ReturnType<typeof loadWriter>>['ParquetWriter']>): void {
  const schema: SchemaElement[] = [];
  for (const element of SCHEMA) {
    if (element.name !== WRAPPER) {
      schema.push(element);
      continue;
    }
    const { name, repetition_type } = schema.pop()!;
    schema.push({ ...element, name, repetition_type });
  }
  file.schema = schema;
  for (const { columns } of file.row_groups) {
    for (const { meta_data } of columns) {
      if (meta_data) meta_data.path_in_schema = meta_data.path_in_schema.filter(name => name !== WRAPPER);
    }
  }
}
