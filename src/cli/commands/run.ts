/** `tiercel run`: the daemon, until a signal ends it. */
import { EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';

export async function runDaemon(options: { configFile?: string }, { env }: Context): Promise<ExitCode> {
  // Before anything is opened: a signal during the start is not lost.
  const stop = stopSignal();
  const reload = { asked: false };
  process.on('SIGHUP', () => {
    reload.asked = true;
  });
  const { startDaemon } = await import('../../daemon.ts');
  const daemon = await startDaemon({ configFile: options.configFile, env });
  // What a client library throws out of turn is no reason to stop delivering to all others.
  process.on('uncaughtException', error => daemon.defect(error));
  // The log tells what was wrong with a configuration that is refused.
  const onHangUp = () => void daemon.reload().catch(() => undefined);
  process.removeAllListeners('SIGHUP').on('SIGHUP', onHangUp);
  if (reload.asked) onHangUp();
  await stop;
  await daemon.stop();
  // What a client library still has open would keep the process, and who does not read the standard output for ever.
  process.exit(EXIT.ok);
}

/**
 * One Ctrl-C can arrive several times: the terminal sends it to all that were started together, and npm, which is among
 * them, passes it on.
 */
const ONE_SIGNAL_MS = 500;

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    let askedAt: number | undefined;
    const onSignal = (_name: NodeJS.Signals, number: number) => {
      askedAt ??= performance.now();
      if (performance.now() - askedAt > ONE_SIGNAL_MS) process.exit(128 + number);
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
