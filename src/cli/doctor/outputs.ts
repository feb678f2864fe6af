/** Whether the outputs of a configuration can be reached from here: opened and probed without a daemon. */
import type { Config, OutputInstance } from '../../core/config/types.ts';
import type { Logger, Output } from '../../core/contract.ts';
import { openOutput, systemClock } from '../../core/host.ts';
import { createRedactor } from '../../core/redact.ts';
import type { Env } from '../io.ts';
import { span } from '../text.ts';
import { type Check, fail, ok, skip } from './check.ts';

interface ProbeOptions {
  env: Env;
  /** Longest wait for one output, opening and probing together. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Probes all at once; gives the outcomes in the order of the configuration. */
export async function* probeOutputs(config: Config, options: ProbeOptions): AsyncGenerator<Check> {
  const redact = createRedactor(config.secrets);
  const probes = config.outputs.map(instance => probe(instance, options, redact));
  for (const probe of probes) yield await probe;
}

async function probe(
  instance: OutputInstance,
  { env, timeoutMs, signal }: ProbeOptions,
  redact: (text: string) => string,
): Promise<Check> {
  const name = `output ${instance.id}`;
  const timeout = AbortSignal.timeout(timeoutMs);
  const startedAt = Date.now();
  let output: Output | undefined;
  try {
    const opening = openOutput(instance, {
      clock: systemClock,
      log: SILENT,
      env,
      outputs: () => [],
      customFields: () => [],
      templatedFields: () => [],
      templateFailed() {},
    });
    output = await within(opening, timeout, late => void close(late));
    if (!output.probe) return skip(name, 'cannot be tried without an alert; `tiercel test` sends one');
    await within(output.probe(AbortSignal.any([timeout, signal])), timeout);
    return ok(name, `answers (${span(Date.now() - startedAt)})`);
  } catch (error) {
    const why = timeout.aborted ? `no answer within ${span(timeoutMs)}` : redact((error as Error).message);
    return fail(name, why, ADVICE[(error as { reason?: string }).reason ?? '']);
  } finally {
    if (output) await close(output);
  }
}

const ADVICE: Record<string, string> = {
  auth: 'check the credential: it is refused or may not do this',
  network: 'check the address, and whether this machine may connect to it (DNS, firewall, proxy)',
  timeout: 'check whether this machine may connect to it (firewall, proxy)',
};

// What an output has to say here is its error.
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

async function close(output: Output): Promise<void> {
  // The doctor has its answer: a far side that does not say goodbye must not hold it up.
  await within(Promise.resolve(output.close?.()), AbortSignal.timeout(2000)).catch(() => undefined);
}

/** Waits no longer than the signal allows; what comes too late goes to `late`. */
function within<T>(work: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason as Error);
      if (late) work.then(late, () => undefined);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
