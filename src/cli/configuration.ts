/** Reads a configuration the way the daemon does. */
import { readFileSync } from 'node:fs';
import { loadConfig } from '../core/config/load.ts';
import type { Config } from '../core/config/types.ts';
import { outputs } from '../outputs/index.ts';
import type { Env } from './io.ts';

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
