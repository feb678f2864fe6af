/** `tiercel replay`: a piece of the log through one output again. */
import { setTimeout as wait } from 'node:timers/promises';
import type { OutputStatus, ReplayProgress } from '../../core/delivery/contract.ts';
import { type ApiClient, itemsOf } from '../api.ts';
import { type DaemonOptions, withDaemon } from '../connect.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { count } from '../text.ts';
import { parseMoment } from '../times.ts';

interface ReplayOptions extends DaemonOptions {
  output: string;
  since: string;
  until?: string;
  wait: boolean;
}

const POLL_MS = 500;

export function replay(options: ReplayOptions, context: Context): Promise<ExitCode> {
  const now = Date.now();
  const since = parseMoment(options.since, '--since', now);
  const until = options.until === undefined ? now : parseMoment(options.until, '--until', now);
  if (until < since) {
    throw new CliError(
      EXIT.usage,
      options.until === undefined ? '--since lies in the future' : '--until lies before --since',
    );
  }
  return withDaemon(options, context, async api => {
    const before = options.wait ? await newestLetter(api, options.output) : 0;
    await api.call('replay', { method: 'POST', body: { output: options.output, since, until } });
    if (!options.wait) {
      await context.io.print('the replay is queued\n');
      return EXIT.ok;
    }
    return follow(api, options.output, before, context);
  });
}

/** Id of the output's newest dead letter, 0 when it has none. */
async function newestLetter(api: ApiClient, output: string): Promise<number> {
  const letters = itemsOf<{ id: number }>(await api.call('dead-letters', { query: { output, limit: 1 } }));
  return letters[0]?.id ?? 0;
}

// A replay that was never seen in as many looks is over already.
const LOOKS = 3;

/**
 * Tells how far it is until the daemon does not name it any more. A replay lives in the daemon: interrupting this
 * leaves it running.
 */
async function follow(api: ApiClient, output: string, before: number, { io }: Context): Promise<ExitCode> {
  let last: ReplayProgress | undefined;
  for (let looks = 0; looks < LOOKS && !io.signal.aborted; looks++) {
    const status = itemsOf<OutputStatus>(await api.call('outputs')).find(({ id }) => id === output);
    const early = status ? status.replayError : 'the output was removed';
    if (status?.replay) {
      looks = 0;
      if (status.replay.done !== last?.done || status.replay.failed !== last.failed) {
        io.note(`${progress(status.replay)}\n`);
      }
      last = status.replay;
    } else if (early !== undefined) {
      throw new CliError(EXIT.failure, `the replay ended before all was sent: ${early}`);
    } else if (last) {
      break;
    }
    await wait(POLL_MS, undefined, { signal: io.signal }).catch(() => undefined);
  }
  if (io.signal.aborted) return EXIT.ok;
  // The daemon forgets a replay that is over: what failed since the last look shows in the dead letters only.
  const given = (last?.failed ?? 0) > 0 || (await newestLetter(api, output)) > before;
  await io.print(`the replay is over${given ? '; `tiercel dead list` shows what was given up' : ''}\n`);
  return given ? EXIT.failure : EXIT.ok;
}

function progress({ total, done, failed }: ReplayProgress): string {
  return `${done} of ${count(total, 'alert')}${failed > 0 ? `, ${failed} given up` : ''}`;
}
