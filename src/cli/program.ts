/** The command line: what can be asked for. Each command's code is loaded when it is used, so that `run` starts fast. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { ConfigError, formatProblem } from '../core/errors.ts';
import { versionLines } from './about.ts';
import { CliError, EXIT } from './exit.ts';
import { type Context, type Env, type Io, processIo } from './io.ts';

/**
 * Runs one command.
 * @param argv what stands behind the program's name
 * @returns the exit code, see docs/cli.md
 */
export async function run(argv: readonly string[], env: Env, io: Io = processIo(env)): Promise<number> {
  const outcome: Outcome = { code: EXIT.ok };
  try {
    await createProgram({ io, env }, outcome).parseAsync(withDefault(argv), { from: 'user' });
    return outcome.code;
  } catch (error) {
    return explain(error, io);
  }
}

interface Outcome {
  code: number;
}

/** falcosidekick has no commands: flags alone mean `run`. */
function withDefault(argv: readonly string[]): string[] {
  const [first] = argv;
  const isFlag = first?.startsWith('-') && !['-h', '--help', '-v', '--version'].includes(first);
  return first === undefined || isFlag ? ['run', ...argv] : [...argv];
}

function explain(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    io.note(`tiercel: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    io.note(
      `tiercel: the configuration cannot be used\n${error.problems.map(p => `  ${formatProblem(p)}\n`).join('')}`,
    );
    return EXIT.usage;
  }
  const { stack, message } = error as Error;
  io.note(`tiercel: ${isSystemError(error) ? message : (stack ?? String(error))}\n`);
  return EXIT.failure;
}

/** A port in use, a folder that cannot be written: the message says it all. */
function isSystemError(error: unknown): boolean {
  const { name, cause } = error as Error;
  // A sentence in place of the system's own message has that as its cause.
  return [error, cause].some(hasCode) || name.startsWith('Spool');
}

function hasCode(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException | undefined)?.code === 'string';
}

function createProgram(context: Context, outcome: Outcome): Command {
  const { io, env } = context;
  const finish = async (code: Promise<number>) => {
    outcome.code = await code;
  };
  const program = new Command('tiercel')
    .description('Takes security alerts from Falco and delivers each one to everywhere it has to go.')
    .version(versionLines(env), '-v, --version', 'print the version and where it comes from')
    .helpOption('-h, --help', 'explain a command')
    .commandsGroup('Help:')
    .helpCommand('help [command]', 'explain a command')
    .showHelpAfterError('(--help explains)')
    .configureOutput({
      writeOut: text => void io.print(text),
      writeErr: text => io.note(text),
      getOutHasColors: () => io.colours,
      getErrHasColors: () => io.colours,
      getOutHelpWidth: () => io.columns ?? 100,
      getErrHelpWidth: () => io.columns ?? 100,
    })
    .exitOverride();
  addDaemonCommands(program, context, finish);
  addConfigCommands(program, context, finish);
  addAlertCommands(program, context, finish);
  program.addHelpText('after', EXIT_CODES);
  refuseRepetitions(program);
  return program;
}

/** A value that is given twice is a mistake: the first one would have no effect. Lists take several. */
function refuseRepetitions(command: Command): void {
  for (const option of command.options) {
    const takesOne = (option.required || option.optional) && option.parseArg !== wholeNumbers;
    if (!takesOne) continue;
    let given = false;
    command.on(`option:${option.name()}`, () => {
      if (given) command.error(`error: option '${option.flags}' can be given only once`);
      given = true;
    });
  }
  for (const inner of command.commands) refuseRepetitions(inner);
}

const EXIT_CODES = `
Without a command, \`tiercel -c FILE\` runs the daemon.
Exit codes: 0 all is well, 1 it is not, 2 bad configuration or command line, 3 no daemon answers.`;

type Finish = (code: Promise<number>) => Promise<void>;

function addDaemonCommands(program: Command, context: Context, finish: Finish): void {
  program.commandsGroup('Daemon:');
  configFile(program.command('run'))
    .description('run the daemon (what happens without a command)')
    .addHelpText('after', examples('tiercel run -c config.yaml', 'SLACK_WEBHOOKURL=https://... tiercel run'))
    .action(async options => finish((await import('./commands/run.ts')).runDaemon(options, context)));
  configFile(program.command('validate'))
    .description('check a configuration and tell all that is wrong with it; unknown keys are errors')
    .option('--json', 'print the problems as JSON')
    .addHelpText('after', examples('tiercel validate -c config.yaml'))
    .action(async options => finish((await import('./commands/validate.ts')).validate(options, context)));
  daemon(program.command('doctor'))
    .description('find out why alerts do not arrive: configuration, daemon, outputs, and how Falco is set up')
    .option('--falco <file>', 'Falco’s configuration; /etc/falco/falco.yaml where there is one')
    .option('--no-probe', 'do not connect to the outputs')
    .option('--timeout <time>', 'longest wait for one output', '10s')
    .option('--json', 'print the checks as JSON')
    .addHelpText(
      'after',
      examples(
        'tiercel doctor -c config.yaml',
        'tiercel doctor -c config.yaml --falco ./falco.yaml --no-probe',
      ),
    )
    .action(async options => finish((await import('./commands/doctor.ts')).doctor(options, context)));
  daemon(program.command('test'))
    .description('send the test alert through every output of the running daemon, or through one')
    .option('--output <id>', 'only this output: slack, or slack.soc for the instance called soc')
    .option('--json', 'print the outcomes as JSON')
    .addHelpText('after', examples('tiercel test', 'tiercel test --output slack.soc'))
    .action(async options => finish((await import('./commands/test.ts')).test(options, context)));
}

function addConfigCommands(program: Command, context: Context, finish: Finish): void {
  program.commandsGroup('Configuration:');
  program
    .command('outputs')
    .argument('[name]', 'an output, for its keys')
    .description('list the outputs there are, or the keys of one')
    .option('--json', 'print as JSON')
    .addHelpText('after', examples('tiercel outputs', 'tiercel outputs slack'))
    .action(async (name, options) =>
      finish((await import('./commands/outputs.ts')).listOutputs(name, options, context)),
    );
  const config = program
    .command('config')
    .description('examples, schema and conversion of configurations')
    .helpCommand(false)
    .addHelpText('after', examples('tiercel config example', 'tiercel config show -c config.yaml'));
  config
    .command('example')
    .description('print a configuration with every key and its default')
    .addHelpText('after', examples('tiercel config example > config.yaml'))
    .action(async () => finish((await import('./commands/config.ts')).printExample(context)));
  config
    .command('schema')
    .description('print the JSON Schema, for editors')
    .addHelpText('after', examples('tiercel config schema > tiercel.schema.json'))
    .action(async () => finish((await import('./commands/config.ts')).printSchema(context)));
  configFile(config.command('show'))
    .description('print the configuration in effect (file, environment, defaults) with secrets masked')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      examples('tiercel config show -c config.yaml', 'tiercel config show --json | jq .delivery'),
    )
    .action(async options => finish((await import('./commands/config.ts')).showConfig(options, context)));
  config
    .command('migrate')
    .argument('<file>', 'a configuration file of falcosidekick')
    .description('print the same as a Tiercel configuration, with remarks; what has no effect is left out')
    .addHelpText('after', examples('tiercel config migrate falcosidekick.yaml > tiercel.yaml'))
    .action(async file => finish((await import('./commands/migrate.ts')).migrate(file, context)));
}

function addAlertCommands(program: Command, context: Context, finish: Finish): void {
  program.commandsGroup('Alerts:');
  daemon(program.command('tail'))
    .description('show the last alerts and those that come in')
    .option('-n, --lines <number>', 'how many of the last ones (10)', wholeNumber)
    .option('--since <time>', 'begin that long ago (1h, 2d) or at a time')
    .option('--rule <name>', 'only alerts of this rule')
    .option('--priority <name>', 'only alerts of this priority or a more severe one')
    .option('--source <name>', 'only alerts of this source')
    .option('--grep <text>', 'only alerts that hold this text')
    .option('--no-follow', 'end after the last one')
    .option('--json', 'one alert as JSON per line')
    .addHelpText(
      'after',
      examples('tiercel tail --priority error', 'tiercel tail --since 1h --json | jq .rule'),
    )
    .action(async options => finish((await import('./commands/tail.ts')).tail(options, context)));
  const dead = program
    .command('dead')
    .description('alerts that outputs gave up')
    .helpCommand(false)
    .addHelpText('after', examples('tiercel dead list --since 1d', 'tiercel dead replay --output slack'));
  letters(dead.command('list'))
    .description('list dead letters, newest first; with -c also when no daemon runs')
    .option('--limit <number>', 'at most this many (100, and never more than 1000)', upTo(1000))
    .addHelpText('after', examples('tiercel dead list --output slack --since 1d'))
    .action(async options => finish((await import('./commands/dead.ts')).deadList(options, context)));
  letters(dead.command('replay'))
    .description('send dead letters again; each goes when its output has accepted it')
    .addHelpText(
      'after',
      examples('tiercel dead replay --output slack', 'tiercel dead replay --id 12 --id 17'),
    )
    .action(async options => finish((await import('./commands/dead.ts')).deadReplay(options, context)));
  letters(dead.command('purge'))
    .description('remove dead letters for good')
    .option('--all', 'every one')
    .addHelpText('after', examples('tiercel dead purge --output slack --rule "Terminal shell in container"'))
    .action(async options => finish((await import('./commands/dead.ts')).deadPurge(options, context)));
  daemon(program.command('replay'))
    .description('send alerts of the log to one output again')
    .requiredOption('--output <id>', 'the output')
    .requiredOption('--since <time>', 'alerts that came in since then: 1h, 2d or a time')
    .option('--until <time>', 'and before then (now)')
    .option('--no-wait', 'do not wait for the end')
    .addHelpText('after', examples('tiercel replay --output elasticsearch --since 6h --until 2h'))
    .action(async options => finish((await import('./commands/replay.ts')).replay(options, context)));
}

function configFile(command: Command): Command {
  return command.option(
    '-c, --config-file <file>',
    'configuration file (YAML); without one, environment and defaults',
  );
}

function daemon(command: Command): Command {
  return command
    .option('--url <address>', 'where the daemon is (TIERCEL_URL, http://127.0.0.1:2801)')
    .option('--token <token>', 'what lets one in (TIERCEL_TOKEN); changes want the admin token')
    .option('--ca <file>', 'certificate authority of the daemon, PEM')
    .option('--cert <file>', 'client certificate for a daemon that wants one, PEM')
    .option('--key <file>', 'the key of that certificate, PEM')
    .option('--insecure', 'take any certificate')
    .option('-c, --config-file <file>', 'take address and token from this configuration');
}

function letters(command: Command): Command {
  return daemon(command)
    .option('--id <number>', 'only this one; can be given more than once', wholeNumbers)
    .option('--output <id>', 'only those of this output')
    .option('--rule <name>', 'only alerts of this rule')
    .option('--since <time>', 'only those given up since then: 1h, 2d or a time')
    .option('--json', 'print as JSON');
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

function upTo(most: number): (text: string) => number {
  return text => {
    const number = wholeNumber(text);
    if (number < 1 || number > most) throw new InvalidArgumentError(`expected a number from 1 to ${most}`);
    return number;
  };
}

function wholeNumbers(text: string, former: number[] = []): number[] {
  return [...former, wholeNumber(text)];
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map(line => `  ${line}`).join('\n')}`;
}
