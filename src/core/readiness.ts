/** Whether alerts can be taken, and what is not as it should be. Pure. */
import type { OutputStatus } from './delivery/contract.ts';
import type { Readiness } from './http-server/backend.ts';
import type { SpoolStats } from './spool/contract.ts';

/** How the parts of the daemon are. */
export interface Condition {
  isStopping: boolean;
  spool: SpoolStats;
  /** Why the changed configuration is not in use. */
  reloadError: string | undefined;
  outputs: readonly OutputStatus[];
}

const FULL = 'the log is full, outputs have not taken what it holds: alerts are refused';

/** Ready unless something blocks: problems of outputs never do, as their alerts wait in the log. */
export function readinessOf({ isStopping, spool, reloadError, outputs }: Condition): Readiness {
  const problems: Readiness['problems'] = [];
  const { fault, full, deadLetterFault, remote } = spool;
  if (isStopping) problems.push({ part: 'daemon', message: 'it is stopping', blocking: true });
  if (full) problems.push({ part: 'spool', message: FULL, blocking: true });
  if (fault) problems.push({ part: 'spool', message: fault, blocking: true });
  if (deadLetterFault) problems.push({ part: 'dead letters', message: deadLetterFault, blocking: false });
  if (remote?.detour !== undefined) {
    // Alerts are taken, and safe on this machine's disk: a balancer should go on sending them here.
    const message = `${remote.detour}; ${remote.buffered} alerts in the local buffer`;
    problems.push({ part: 'spool', message, blocking: false });
  }
  if (reloadError) {
    const message = `the changed configuration is refused, the former one is in use: ${reloadError}`;
    problems.push({ part: 'configuration', message, blocking: false });
  }
  for (const { id, state, lastError } of outputs) {
    if (state === 'running' || state === 'paused') continue;
    problems.push({ part: `output ${id}`, message: lastError ?? `it is ${state}`, blocking: false });
  }
  return { ready: !problems.some(problem => problem.blocking), problems };
}
