/** `tiercel config example|schema|show`. */
import { stringify } from 'yaml';
import { readConfig } from '../../configuration.ts';
import { toExampleYaml } from '../../core/config/example.ts';
import { toJsonSchema } from '../../core/config/json-schema.ts';
import { outputs } from '../../outputs/index.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';

export async function printExample({ io }: Context): Promise<ExitCode> {
  await io.print(toExampleYaml(outputs));
  return EXIT.ok;
}

export async function printSchema({ io }: Context): Promise<ExitCode> {
  await io.print(`${JSON.stringify(toJsonSchema(outputs), null, 2)}\n`);
  return EXIT.ok;
}

/** @throws ConfigError when there is nothing to be shown because it cannot be used */
export async function showConfig(
  options: { configFile?: string; json?: boolean },
  { io, env }: Context,
): Promise<ExitCode> {
  const { masked } = readConfig({ file: options.configFile, env });
  await io.print(options.json ? `${JSON.stringify(masked, null, 2)}\n` : stringify(masked));
  return EXIT.ok;
}
