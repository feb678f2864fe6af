/** `tiercel config migrate`: a file of falcosidekick as one of Tiercel, on the standard output. */
import { readFileSync } from 'node:fs';
import { fileTrouble } from '../../core/file-trouble.ts';
import { outputs } from '../../outputs/index.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { migrateConfig } from '../migration.ts';

export async function migrate(file: string, { env, io }: Context): Promise<ExitCode> {
  if (/\.toml$/i.test(file)) throw new CliError(EXIT.usage, 'a TOML file has to be turned into YAML first');
  const { text, remarks, valid } = migrateConfig(read(file), { file, env, definitions: outputs });
  await io.print(text);
  for (const remark of remarks) io.note(`${remark}\n`);
  if (!valid) io.note('tiercel: the result needs mending before it can be used, see the comments in it\n');
  return valid ? EXIT.ok : EXIT.usage;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `cannot read ${file}: ${fileTrouble(error)}`);
  }
}
