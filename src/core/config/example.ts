/** The example file: every key with its default, commented out, so that lines can be taken by removing one `#`. */
import { stringify } from 'yaml';
import type { OutputDefinition } from '../contract.ts';
import { type DescribedKey, describeKeys } from './catalog.ts';
import { commonKeys, ownKeys, settingsShape } from './schema.ts';

const WIDTH = 108;

const HEAD = `Every key of Tiercel with its default. A line takes effect when the \`#\` at its very beginning is removed.
Every key has an environment variable: its path in upper case with _ for the dots (delivery.retry.maxage:
DELIVERY_RETRY_MAXAGE); the same with _FILE names a file with the value. The environment wins over this file. Any text
can hold \${env:NAME}, \${env:NAME:-default} or \${file:/path}. Each output is a map, or a list of maps with a \`name\` each.`;

/** The text of the example file. */
export function toExampleYaml(definitions: readonly OutputDefinition[]): string {
  const blocks = [
    HEAD.split('\n')
      .map(line => `# ${line}`)
      .join('\n'),
  ];
  for (const described of describeKeys(settingsShape)) blocks.push(keyLines(described, 0).join('\n'));

  const everywhere = describeKeys(commonKeys({ http: true } as OutputDefinition));
  const names = everywhere.map(({ key }) => key).join(', ');
  blocks.push(
    comment(
      `Outputs. Each also takes ${names}; the last ones where they make sense. They are described with the documentation of the outputs.`,
      '',
    ).join('\n'),
  );

  const parents = new Set<string>();
  for (const definition of definitions) {
    const path = definition.name.split('.');
    const lines = comment(`${definition.title}: ${definition.docs}`, '');
    for (const [depth, key] of path.entries()) {
      const parent = path.slice(0, depth + 1).join('.');
      if (!parents.has(parent)) lines.push(`#${'  '.repeat(depth)}${key}:`);
      parents.add(parent);
    }
    for (const described of describeKeys(ownKeys(definition)))
      lines.push(...keyLines(described, path.length));
    blocks.push(lines.join('\n'));
  }
  return `${blocks.join('\n\n')}\n`;
}

function keyLines({ key, meta, fallback, keys }: DescribedKey, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const values = meta.form === 'enum' ? ` One of: ${meta.values!.filter(Boolean).join(', ')}.` : '';
  const lines = comment(meta.description + values, indent);
  if (keys) return [...lines, `#${indent}${key}:`, ...keys.flatMap(inner => keyLines(inner, depth + 1))];
  const value =
    fallback === undefined ? '' : ` ${stringify(fallback, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`;
  return [...lines, `#${indent}${key}:${value}`];
}

/** Wrapped comment lines: `# text` at the top, `#  # text` inside of a section. */
function comment(text: string, indent: string): string[] {
  const start = indent === '' ? '# ' : `#${indent}# `;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && start.length + line.length + 1 + word.length > WIDTH) {
      lines.push(start + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, start + line];
}
