/** Opens an output with all that it is handed, and closes it with all that it was handed. */
import type { OutputInstance } from './config/types.ts';
import type { Clock, Count, HttpClient, Logger, Output, ServerTls } from './contract.ts';
import type { FailureReason } from './errors.ts';
import { createHttpClient } from './http/client.ts';
import { readTls } from './http/client-tls.ts';
import { OutputTemplates, templateBodyOf } from './output-template.ts';

export interface HostOptions {
  clock: Clock;
  log: Logger;
  env: Record<string, string | undefined>;
  /** The names of the outputs that are on. */
  outputs(): readonly string[];
  /** The names of the custom fields. */
  customFields(): readonly string[];
  /** The names of the templated fields. */
  templatedFields(): readonly string[];
  /** What the daemon has counted. */
  counts?(): readonly Count[];
  /** What of it was counted before the output was wanted. */
  countedBefore?(): readonly Count[];
  /** Told of messages that held no alert. */
  sent?(output: string, messages: number, durationMs: number, outcome: 'ok' | FailureReason): void;
  /** Told of a template that failed on an alert. */
  templateFailed(output: string, error: unknown): void;
}

/**
 * Opens one instance.
 * @throws what the output's `open` throws, or Error when a TLS file cannot be read
 */
export async function openOutput(instance: OutputInstance, options: HostOptions): Promise<Output> {
  const { id, definition, config, connection, delivery } = instance;
  const failed = (error: unknown) => options.templateFailed(id, error);
  const templates =
    instance.template &&
    new OutputTemplates(instance.template, {
      headers: connection.headers,
      body: templateBodyOf(definition, config),
      failed,
    });
  const clients: { close(): Promise<void> }[] = [];
  const closeClients = () => Promise.all(clients.map(client => client.close()));
  const connect = (tls: ServerTls): HttpClient => {
    const { concurrency: connections } = delivery;
    const client = createHttpClient({ connection: { ...connection, ...tls }, connections, env: options.env });
    clients.push(client);
    return templates?.client(client) ?? client;
  };
  try {
    const output = await definition.open(config as never, {
      id,
      http: connect(connection),
      connect,
      tls: readTls(connection),
      clock: options.clock,
      log: options.log,
      outputs: options.outputs,
      customFields: options.customFields,
      templatedFields: options.templatedFields,
      ...(options.counts && { counts: options.counts }),
      ...(options.countedBefore && { countedBefore: options.countedBefore() }),
      sent: (...sent) => options.sent?.(id, ...sent),
      templateFailed: failed,
    });
    return {
      send: (alerts, context) =>
        templates ? templates.send(output, alerts, context) : output.send(alerts, context),
      ...(output.probe && { probe: signal => output.probe!(signal) }),
      async close() {
        await output.close?.();
        await closeClients();
      },
    };
  } catch (error) {
    await closeClients();
    throw error;
  }
}

/** The real time and chance. */
export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  random: Math.random,
};
