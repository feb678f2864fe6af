/** What the running daemon says of itself. */
import type { OutputStatus } from '../../core/delivery/contract.ts';
import type { StatusReport } from '../../core/http-server/backend.ts';
import type { RefusedRequest } from '../../core/http-server/refusals.ts';
import { type ApiClient, itemsOf } from '../api.ts';
import { CliError } from '../exit.ts';
import { count, span, visible } from '../text.ts';
import { type Check, fail, ok, skip, warn } from './check.ts';

const SHOWN_REFUSALS = 5;

/** Asks the daemon: whether it answers, is ready, delivers, and what it had to refuse. */
export async function checkDaemon(api: ApiClient, now: number): Promise<Check[]> {
  try {
    await api.identify();
  } catch (error) {
    return [fail('daemon', (error as Error).message, (error as CliError).hint)];
  }
  const checks = [ok('daemon', `answers at ${api.url}`)];
  try {
    const status = await api.call<StatusReport>('status');
    checks.push(...readiness(status), ...status.outputs.map(output => delivery(output, now)));
    checks.push(...refusals(itemsOf<RefusedRequest>(await api.call('refusals')), now));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    checks.push(skip('daemon status', `cannot be read: ${error.message}`));
  }
  return checks;
}

function readiness({ readiness, reloads, version }: StatusReport): Check[] {
  const checks = readiness.problems
    // Those of outputs and reloads have lines of their own.
    .filter(({ part }) => !part.startsWith('output ') && part !== 'configuration')
    .map(({ part, message, blocking }) =>
      (blocking ? fail : warn)(`daemon ${visible(part)}`, visible(message)),
    );
  if (reloads.lastError) {
    checks.push(
      warn(
        'daemon reload',
        visible(reloads.lastError),
        'the former configuration is still in use; `tiercel validate` tells more',
      ),
    );
  }
  return checks.length > 0 ? checks : [ok('daemon ready', `version ${visible(version)}, takes alerts`)];
}

function delivery(output: OutputStatus, now: number): Check {
  const name = `delivery ${visible(output.id)}`;
  const waiting = output.depth > 0 ? `${count(output.depth, 'alert')} waiting` : 'nothing waiting';
  const oldest = output.oldestAt === undefined ? '' : `, the oldest for ${span(now - output.oldestAt)}`;
  const lost = [
    ...(output.deadLetters > 0 ? [`${count(output.deadLetters, 'dead letter')}`] : []),
    ...(output.dropped > 0 ? [`${output.dropped} dropped because the log was full`] : []),
  ].join(', ');
  const state = `${output.state}, ${waiting}${oldest}${lost && `; ${lost}`}`;
  const why = output.lastError ? `: ${visible(output.lastError)}` : '';
  if (output.state === 'failing' || (output.state === 'opening' && output.lastError)) {
    return fail(name, `${state}${why}`, 'the alerts are kept and sent when it is back');
  }
  if (output.state === 'paused' || output.state === 'stopping' || output.waiting > 0)
    return warn(name, `${state}${why}`);
  return lost
    ? warn(
        name,
        state,
        output.deadLetters > 0
          ? '`tiercel dead list` tells why, `tiercel dead replay` sends them again'
          : undefined,
      )
    : ok(name, state);
}

function refusals(refused: readonly RefusedRequest[], now: number): Check[] {
  if (refused.length === 0) return [ok('refused requests', 'none')];
  // The same sender with the same fault is one thing to mend, however often it tries.
  const groups = new Map<string, { last: RefusedRequest; times: number }>();
  for (const request of refused) {
    const key = `${request.reason} ${request.sender.address} ${request.message}`;
    const group = groups.get(key);
    groups.set(key, { last: request, times: (group?.times ?? 0) + 1 });
  }
  return [...groups.values()]
    .sort((a, b) => b.last.at - a.last.at)
    .slice(0, SHOWN_REFUSALS)
    .map(({ last, times }) => {
      const { address, userAgent } = last.sender;
      const sender = visible(`${address}${userAgent ? ` (${userAgent})` : ''}`);
      const often = times > 1 ? `${times} times, last ` : '';
      return warn(
        'refused requests',
        `${often}${span(now - last.at)} ago from ${sender}: ${visible(last.message)}`,
      );
    });
}
