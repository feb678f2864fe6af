#!/usr/bin/env node
/**
 * The entry: sees to it that the daemon runs under Node.js 24 with the right memory settings, then hands over to the
 * command line.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';

const NEEDED_MAJOR = 24;

// Alerts are short-lived and bounded in number. V8 sizes its heap for programs that are neither: measured at 1,000
// alerts a second with an output dead, its defaults take 350 MiB. The nursery holds what comes in a tenth of a second
// with ten outputs, which is longer than nearly all alerts live.
const DAEMON_FLAGS = ['--min-semi-space-size=16', '--max-semi-space-size=16', '--max-old-space-size=768'];
// Not among the flags above, as a later V8 may not know them.
const TUNING = [
  // V8 begins a full collection as soon as less than two nurseries are left below a limit that it sets at 1.2 times what
  // is in use: with so little in use that is always.
  '--heap-growing-percent=100',
  // Objects of code that once made long-lived ones are put among the old at once. What they refer to then lives until
  // the next full collection (docs/performance.md).
  '--no-allocation-site-pretenuring',
  // V8's best compiler gets a function after 3,000 calls, by default. Most here are called once an alert and output.
  '--invocation-count-for-turbofan=1000',
];

const script = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);

if (Number(process.versions.node.split('.')[0]) < NEEDED_MAJOR) {
  runUnderBundledNode();
} else {
  if (isDaemon() && !isTuned() && process.execve) {
    process.execve(
      process.execPath,
      [process.execPath, ...DAEMON_FLAGS, ...process.execArgv, script, ...args],
      process.env,
    );
  }
  // A parent that only hands over (below) must not leave this process behind when it is killed.
  if (process.channel) process.on('disconnect', () => process.exit(1)).channel?.unref();
  if (isDaemon()) for (const flag of TUNING) v8.setFlagsFromString(flag);
  // Beside the code and not in a folder that others can write to: what is cached is run.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tiercel', import.meta.url)));
  const { run } = await import('./cli/program.ts');
  process.exitCode = await run(args, process.env);
}

/** Flags alone mean `run`, as in falcosidekick. */
function isDaemon(): boolean {
  const [command] = args;
  return command === undefined || command === 'run' || command.startsWith('-');
}

function isTuned(): boolean {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(flag => flag.includes('space-size'));
}

/** The PATH has an older Node.js: starts the one that npm installed with the project, and passes signals on. */
function runUnderBundledNode(): void {
  const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
  if (!existsSync(node)) {
    process.stderr.write(`tiercel needs Node.js ${NEEDED_MAJOR} or newer, this is ${process.version}\n`);
    process.exit(2);
  }
  const child = spawn(node, [...DAEMON_FLAGS, ...process.execArgv, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
