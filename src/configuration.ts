/** Reads a configuration: file, environment and the outputs that there are. */
import { readFileSync } from 'node:fs';
import { loadConfig } from './core/config/load.ts';
import type { Config } from './core/config/types.ts';
import { outputs } from './outputs/index.ts';

/** The process's environment variables. */
type Env = Readonly<Record<string, string | undefined>>;

export interface ReadOptions {
  /** Path of the file; absent: environment and defaults alone. */
  file?: string;
  env: Env;
  /** Unknown keys are errors. */
  strict?: boolean;
}

/** @throws ConfigError with every problem */
export function readConfig({ file, env, strict }: ReadOptions): Config {
  return loadConfig({
    file,
    env: { ...env },
    definitions: outputs,
    readFile: path => readFileSync(path, 'utf8'),
    strict,
  });
}

/**
 * What the daemon runs with.
 * @throws ConfigError with every problem
 */
export function readConfigToRun({ configFile: file, env }: { configFile?: string; env: Env }): Config {
  const config = readConfig({ file, env });
  // A newcomer without a configuration sees the alerts. Whoever wrote one gets what it says.
  if (config.outputs.length > 0 || file !== undefined || env.CONSOLE_ENABLED || env.CONSOLE_ENABLED_FILE) {
    return config;
  }
  return readConfig({ env: { ...env, CONSOLE_ENABLED: 'true' } });
}
