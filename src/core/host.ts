/** Opens an output with all that it is handed, and closes it with all that it was handed. */
import type { OutputInstance } from './config/types.ts';
import type { Clock, Logger, Output } from './contract.ts';
import { createHttpClient, readTls } from './http/client.ts';

export interface HostOptions {
  clock: Clock;
  log: Logger;
  env: Record<string, string | undefined>;
  /** Told of a template that failed on an alert. */
  templateFailed(output: string, error: unknown): void;
}

/**
 * Opens one instance.
 * @throws what the output's `open` throws, or Error when a TLS file cannot be read
 */
export async function openOutput(instance: OutputInstance, options: HostOptions): Promise<Output> {
  const { id, definition, config, connection, delivery } = instance;
  const http = createHttpClient({ connection, connections: delivery.concurrency, env: options.env });
  try {
    const output = await definition.open(config as never, {
      id,
      http,
      tls: readTls(connection),
      clock: options.clock,
      log: options.log,
      templateFailed: error => options.templateFailed(id, error),
    });
    return {
      send: (alerts, context) => output.send(alerts, context),
      ...(output.probe && { probe: signal => output.probe!(signal) }),
      async close() {
        await output.close?.();
        await http.close();
      },
    };
  } catch (error) {
    await http.close();
    throw error;
  }
}

/** The real time and chance. */
export const systemClock: Clock = { now: Date.now, random: Math.random };
