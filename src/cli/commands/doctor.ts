/** `tiercel doctor`: one line for each thing between Falco and the far side that may be wrong. */
import { existsSync } from 'node:fs';
import { readConfig } from '../../configuration.ts';
import type { Config } from '../../core/config/types.ts';
import { ConfigError, formatProblem } from '../../core/errors.ts';
import { MAX_WAIT_MS, parseDuration } from '../../core/keys.ts';
import { connect, type DaemonOptions } from '../connect.ts';
import { type Check, fail, type Level, ok, skip, warn } from '../doctor/check.ts';
import { checkDaemon } from '../doctor/daemon.ts';
import { readFalco } from '../doctor/falco-file.ts';
import { checkFalco } from '../doctor/falco-wiring.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { type Colour, type Paint, painter, toJsonText } from '../text.ts';

interface DoctorOptions extends DaemonOptions {
  falco?: string;
  probe: boolean;
  timeout: string;
  json?: boolean;
}

const DEFAULT_FALCO = '/etc/falco/falco.yaml';

export async function doctor(options: DoctorOptions, context: Context): Promise<ExitCode> {
  const timeoutMs = parseDuration(options.timeout);
  if (!timeoutMs || timeoutMs > MAX_WAIT_MS) {
    throw new CliError(
      EXIT.usage,
      `--timeout: expected a time such as 10s, at most 24d, found '${options.timeout}'`,
    );
  }
  const paint = painter(context.io.colours);
  const all: Check[] = [];
  // Printed as they come: a probe may take its time.
  const tell = async (checks: readonly Check[]) => {
    all.push(...checks);
    if (!options.json) for (const check of checks) await context.io.print(render(check, paint));
  };
  const { config, checks } = await readConfiguration(options, context);
  await tell(checks);
  await tell(await askDaemon(options, context, config));
  if (config && options.probe && config.spool.driver === 'jetstream') {
    const { checkSpool } = await import('../doctor/spool.ts');
    await tell(await checkSpool(config, timeoutMs));
  }
  if (config && options.probe) {
    const { probeOutputs } = await import('../doctor/outputs.ts');
    const { env, io } = context;
    for await (const check of probeOutputs(config, { env, timeoutMs, signal: io.signal }))
      await tell([check]);
  }
  await tell(falco(options.falco, config));
  if (options.json) await context.io.print(`${toJsonText(all, 2)}\n`);
  return all.some(check => check.level === 'fail') ? EXIT.failure : EXIT.ok;
}

async function readConfiguration(
  options: DoctorOptions,
  { env }: Context,
): Promise<{ config?: Config; checks: Check[] }> {
  try {
    const config = readConfig({ file: options.configFile, env });
    const outputs = config.outputs.map(({ id }) => id).join(', ');
    return {
      config,
      checks: [
        ...config.warnings.map(problem => warn('configuration', formatProblem(problem))),
        ok(
          'configuration',
          options.configFile ? `${options.configFile} is valid` : 'environment and defaults are valid',
        ),
        outputs
          ? ok('outputs', outputs)
          : warn(
              'outputs',
              options.configFile
                ? 'none is turned on: alerts are only kept in the log'
                : 'the environment turns none on, alerts are only shown on the console; -c names a configuration',
            ),
      ],
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      checks: error.problems.map(problem =>
        (problem.severity === 'error' ? fail : warn)('configuration', formatProblem(problem)),
      ),
    };
  }
}

async function askDaemon(
  options: DoctorOptions,
  { env }: Context,
  config: Config | undefined,
): Promise<Check[]> {
  // A file that cannot be used says nothing of where the daemon is.
  const api = await connect(config ? options : { ...options, configFile: undefined }, env);
  try {
    return await checkDaemon(api, Date.now());
  } finally {
    await api.close();
  }
}

function falco(file: string | undefined, config: Config | undefined): Check[] {
  const name = 'falco configuration';
  if (file === undefined && !existsSync(DEFAULT_FALCO)) {
    return [skip(name, `there is no ${DEFAULT_FALCO} here; --falco FILE names it`)];
  }
  if (!config) return [skip(name, 'needs a valid configuration of Tiercel to be compared with')];
  try {
    const { settings, files, problems } = readFalco(file ?? DEFAULT_FALCO);
    return [
      ok(name, files.join(', ')),
      ...problems.map(problem => warn(name, problem)),
      ...checkFalco(settings, config.server),
    ];
  } catch (error) {
    return [fail(name, (error as Error).message)];
  }
}

const MARKS: Record<Level, [text: string, ...colours: Colour[]]> = {
  ok: ['ok  ', 'green'],
  warn: ['warn', 'yellow'],
  fail: ['FAIL', 'bold', 'red'],
  skip: ['-   ', 'dim'],
};

function render({ level, name, message, advice }: Check, paint: Paint): string {
  const [mark, ...colours] = MARKS[level];
  return `${paint(mark, ...colours)}  ${name}: ${message}${advice ? `\n      ${paint(advice, 'dim')}` : ''}\n`;
}
