/** `tiercel validate`: all that is wrong with a configuration, before it is used. */

import { readConfig } from '../../configuration.ts';
import { ConfigError, type ConfigProblem, formatProblem } from '../../core/errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { count, type Paint, painter } from '../text.ts';

interface ValidateOptions {
  configFile?: string;
  json?: boolean;
}

interface Verdict {
  valid: boolean;
  problems: readonly ConfigProblem[];
  /** Ids of the outputs that are turned on; empty when the configuration is not valid. */
  outputs: string[];
}

export async function validate(options: ValidateOptions, { io, env }: Context): Promise<ExitCode> {
  const verdict = judge(options, env);
  const text = options.json
    ? `${JSON.stringify(verdict, null, 2)}\n`
    : render(verdict, options.configFile ?? 'the environment', painter(io.colours));
  await io.print(text);
  return verdict.valid ? EXIT.ok : EXIT.usage;
}

function judge(options: ValidateOptions, env: Context['env']): Verdict {
  try {
    const config = readConfig({ file: options.configFile, env, strict: true });
    return { valid: true, problems: config.warnings, outputs: config.outputs.map(({ id }) => id) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { valid: false, problems: error.problems, outputs: [] };
  }
}

function render({ valid, problems, outputs }: Verdict, name: string, paint: Paint): string {
  const lines = problems.map(problem => {
    const mark = problem.severity === 'error' ? paint('error  ', 'bold', 'red') : paint('warning', 'yellow');
    return `${mark}  ${formatProblem(problem)}`;
  });
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  lines.push(
    valid
      ? `${paint('ok', 'green')}  ${name}: ${outputs.length > 0 ? outputs.join(', ') : 'no output is turned on'}`
      : `${name}: ${count(errors, 'error')}`,
  );
  return `${lines.join('\n')}\n`;
}
