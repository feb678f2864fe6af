/** The JSON Schema of the configuration file, for editors. Draft 2020-12. */
import type { OutputDefinition } from '../contract.ts';
import { type DescribedKey, describeKeys } from './catalog.ts';
import { commonKeys, nameKey, ownKeys, settingsShape } from './schema.ts';

type Schema = Record<string, unknown>;

const reference = { $ref: '#/$defs/reference' };
const scalar = { type: ['string', 'number', 'boolean'] };

const DEFS: Schema = {
  reference: {
    description: 'A value from the environment or from a file.',
    type: 'string',
    pattern: '\\$\\{(env|file):',
  },
  matcher: {
    description: 'All of its conditions have to hold. Keys are fields of the alert or of its output fields.',
    type: 'object',
    additionalProperties: { $ref: '#/$defs/condition' },
  },
  condition: {
    anyOf: [
      scalar,
      { type: 'array', items: scalar },
      {
        type: 'object',
        properties: {
          exact: scalar,
          glob: { type: 'string' },
          regex: { type: 'string' },
          in: { type: 'array', items: scalar },
          exists: { type: 'boolean' },
          not: { $ref: '#/$defs/condition' },
        },
        additionalProperties: false,
      },
    ],
  },
};

/** The schema of a file with these outputs. */
export function toJsonSchema(definitions: readonly OutputDefinition[]): Schema {
  const properties = propertiesOf(describeKeys(settingsShape));
  for (const definition of definitions) place(properties, definition.name, sectionSchema(definition));
  for (const definition of definitions) placeInherited(properties, definition);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Tiercel configuration',
    type: 'object',
    properties,
    additionalProperties: false,
    $defs: { ...DEFS, ...commonDefs(), ...Object.fromEntries(definitions.map(instanceSchema)) },
  };
}

/** The keys that outputs share, written once. */
function commonDefs(): Schema {
  const keys = describeKeys(commonKeys({ http: true } as OutputDefinition));
  const defs = Object.fromEntries(keys.map(described => [`common-${described.key}`, keySchema(described)]));
  const matcher = { $ref: '#/$defs/matcher' };
  defs['common-match'] = { ...defs['common-match'], anyOf: [matcher, { type: 'array', items: matcher }] };
  return defs;
}

/** A section: one instance, or a list of named ones. */
function sectionSchema(definition: OutputDefinition): Schema {
  const name = nameKey(definition);
  const instance = { $ref: `#/$defs/output-${definition.name}` };
  const named = {
    allOf: [instance, { type: 'object', properties: { [name]: { type: 'string' } }, required: [name] }],
  };
  return {
    title: definition.title,
    description: definition.docs,
    anyOf: [instance, { type: 'array', items: named }],
  };
}

function instanceSchema(definition: OutputDefinition): [string, Schema] {
  const common = Object.keys(commonKeys(definition)).map(key => [key, { $ref: `#/$defs/common-${key}` }]);
  const properties: Schema = {
    ...Object.fromEntries(common),
    ...propertiesOf(describeKeys(ownKeys(definition))),
    [nameKey(definition)]: { description: 'Name of this instance, where there are several.', type: 'string' },
  };
  if (definition.tls && ownKeys(definition).tls) {
    properties.tls = { anyOf: [properties.tls, { $ref: '#/$defs/common-tls' }] };
  }
  return [`output-${definition.name}`, { type: 'object', properties, additionalProperties: false }];
}

function place(properties: Schema, name: string, schema: Schema): void {
  const path = name.split('.');
  const last = path.pop()!;
  let at = properties;
  for (const key of path) {
    at[key] ??= { type: 'object', properties: {} };
    at = (at[key] as { properties: Schema }).properties;
  }
  at[last] = schema;
}

/** The keys that stand in the section above as well. */
function placeInherited(properties: Schema, definition: OutputDefinition): void {
  const { name, inherits = [] } = definition;
  const above = name.split('.').slice(0, -1);
  for (const described of describeKeys(ownKeys(definition))) {
    if (inherits.includes(described.key)) {
      place(properties, [...above, described.key].join('.'), keySchema(described));
    }
  }
}

function propertiesOf(keys: readonly DescribedKey[]): Schema {
  return Object.fromEntries(keys.map(described => [described.key, keySchema(described)]));
}

function keySchema({ meta, fallback, keys }: DescribedKey): Schema {
  const { description } = meta;
  if (keys)
    return { description, type: 'object', properties: propertiesOf(keys), additionalProperties: false };
  return { description, ...valueSchema(meta), ...(fallback !== undefined && { default: fallback }) };
}

function valueSchema(meta: DescribedKey['meta']): Schema {
  switch (meta.form) {
    case 'flag':
      return { anyOf: [{ type: 'boolean' }, reference] };
    case 'number': {
      const bounds = { minimum: meta.min, ...(meta.max !== undefined && { maximum: meta.max }) };
      return { anyOf: [{ type: meta.whole ? 'integer' : 'number', ...bounds }, reference] };
    }
    case 'list':
      return { anyOf: [{ type: 'array', items: scalar }, { type: 'string' }] };
    case 'pairs':
      return { anyOf: [{ type: 'object', additionalProperties: scalar }, { type: 'string' }] };
    case 'duration':
      return {
        anyOf: [
          { type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$' },
          { type: 'number', minimum: 0 },
          reference,
        ],
      };
    case 'size':
      return {
        anyOf: [
          { type: 'string', pattern: '^\\d+(\\.\\d+)? ?[A-Za-z]*$' },
          { type: 'integer', minimum: 0 },
          reference,
        ],
      };
    case 'enum':
    case 'priority': {
      const values = meta.values!.flatMap(value => [value, value.toLowerCase()]);
      return { anyOf: [{ enum: [...new Set(values)] }, reference] };
    }
    case 'text':
      return scalar;
    case 'nested':
      return {};
  }
}
