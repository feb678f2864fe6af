import type { z } from 'zod';
import type {
  Alert,
  Host,
  HttpClient,
  Output,
  OutputDefinition,
  TlsSettings,
} from '../../../src/core/contract.ts';
import { PartialError, PermanentError, RetriableError } from '../../../src/core/errors.ts';

/** What an output logged. */
export type Logged = { level: string; message: string; fields: Record<string, unknown> };

/** A host with a real clock and without HTTP. */
export function hostOf(tls: Partial<TlsSettings> = {}, logged: Logged[] = []): Host {
  const write = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void logged.push({ level, message, fields });
  const http: HttpClient = {
    send: () => {
      throw new Error('this output does not speak HTTP');
    },
  };
  return {
    http,
    connect: () => http,
    outputs: () => ['test'],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true, ...tls },
    clock: { now: () => Date.now(), monotonic: () => performance.now(), random: () => Math.random() },
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    id: 'test',
    templateFailed: () => undefined,
  };
}

/** Opens an output with a configuration as a user would write it. */
export async function openOutput<S extends z.ZodObject>(
  definition: OutputDefinition<S>,
  config: Record<string, unknown>,
  host: Host = hostOf(),
): Promise<Output> {
  const parsed = definition.keys.parse(config) as z.output<S>;
  const problems = definition.check?.(parsed) ?? [];
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return definition.open(parsed, host);
}

/** One try with a limit of its own. */
export function trySend(output: Output, alerts: readonly Alert[], timeoutMs = 10_000): Promise<void> {
  return output.send(alerts, { signal: AbortSignal.timeout(timeoutMs), attempt: 1 });
}

/** The error of a try that has to fail. */
export async function failureOf(
  work: Promise<unknown>,
): Promise<RetriableError | PermanentError | PartialError> {
  const error = await work.then(
    () => undefined,
    reason => reason,
  );
  if (error instanceof RetriableError || error instanceof PermanentError || error instanceof PartialError)
    return error;
  throw new Error(`expected a failure in the contract's terms, got ${error?.stack ?? error}`);
}

/**
 * Sends alerts the way the core does: in batches, what failed for the moment again until it is through.
 * Resolves with those that were refused for good.
 */
export async function deliver(output: Output, alerts: readonly Alert[], batch: number): Promise<Alert[]> {
  const buried: Alert[] = [];
  let waiting = [...alerts];
  while (waiting.length > 0) {
    const now = waiting.slice(0, batch);
    const again: Alert[] = [];
    try {
      await trySend(output, now);
    } catch (error) {
      const failed =
        error instanceof PartialError
          ? error.failed
          : new Map(now.map((_, index) => [index, error as Error]));
      for (const [index, reason] of failed) {
        if (reason instanceof RetriableError) again.push(now[index]!);
        else if (reason instanceof PermanentError) buried.push(now[index]!);
        else throw reason;
      }
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    waiting = [...again, ...waiting.slice(batch)];
  }
  return buried;
}
