/**
 * All that an output may know of the core: the alert, the effects it is handed, and the shape it has to have.
 * An output never learns of queues, retries or metrics.
 */
import type { z } from 'zod';
import type { Alert } from './alert.ts';

export type { Alert } from './alert.ts';
export type { Priority } from './priority.ts';

/** Where an output is listed in the documentation. */
export type Category =
  | 'chat'
  | 'alerting'
  | 'metrics'
  | 'logs'
  | 'queue'
  | 'function'
  | 'storage'
  | 'mail'
  | 'database'
  | 'web'
  | 'siem'
  | 'other';

/** The structured logger handed to outputs; secrets are masked behind it. */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Time and chance, handed in so that what uses them can be tested with plain values. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

/** One HTTP request as an output describes it. Header names are lower case. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body: Buffer | string | undefined;
}

/** An HTTP answer; the body is cut at 64 KiB. Header names are lower case. */
export interface HttpResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** What of the request must not be shown (path, credentials), in case the answer repeats it. */
  secrets?(): string[];
}

/** The one way out over HTTP: pooled, with the output's TLS, proxy and limits. */
export interface HttpClient {
  /**
   * Sends a request and reads the whole answer, whatever its status.
   * @throws RetriableError with reason `network` or `timeout` when no answer arrived.
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}

/** TLS for a client connection, files already read. */
export interface TlsSettings {
  /** PEM certificates trusted besides the system's. */
  ca?: string[];
  cert?: string;
  key?: string;
  /** Name expected in the server's certificate and sent as SNI. */
  serverName?: string;
  /** False takes any certificate. */
  verify: boolean;
}

/** What an output is given to act with. */
export interface Host {
  http: HttpClient;
  /** TLS for outputs with their own client library. */
  tls: TlsSettings;
  clock: Clock;
  log: Logger;
  /** The output's id: its label in metrics and logs. */
  id: string;
  /** Counts and logs a template that failed on an alert; the alert goes out without that text. */
  templateFailed(error: unknown): void;
}

/** An open output. */
export interface Output {
  /**
   * Sends alerts (one, unless the definition has `batch`). Resolves once the far side has accepted them.
   * @throws RetriableError | PermanentError | PartialError; anything else is a defect of the output.
   */
  send(alerts: readonly Alert[], context: SendContext): Promise<void>;
  /** Checks the connection and credentials the way `send` would use them. */
  probe?(signal: AbortSignal): Promise<void>;
  /** Flushes and releases everything; safe to call twice. */
  close?(): Promise<void>;
}

/** What a single try is told. */
export interface SendContext {
  /** Aborted when the try has timed out or the daemon stops. */
  signal: AbortSignal;
  /** 1 for the first try. */
  attempt: number;
}

/** How many alerts an output's API takes at once. */
export interface BatchLimits {
  /** Most alerts in one send. */
  items: number;
  /** Most bytes of alert JSON in one send. */
  bytes: number;
  /** How long to wait for more alerts after the first, in milliseconds. */
  waitMs: number;
}

/** One output: everything about it in one value, exported as default from src/outputs/<name>.ts. */
export interface OutputDefinition<S extends z.ZodObject = z.ZodObject> {
  /** File name, configuration key and metric label. */
  name: string;
  title: string;
  category: Category;
  /** One sentence, with a link to the vendor's documentation. */
  docs: string;
  /** The output's own keys; the common ones are added by core. */
  keys: S;
  /** Adds the common HTTP keys: checkcert, mutualtls, customheaders, proxy, ... */
  http?: boolean;
  /** Adds `tls` keys for outputs with their own client library. */
  tls?: boolean;
  /** Whether the settings turn the output on, for example because its URL is set. */
  enabled(config: z.output<S>): boolean;
  /** Problems between keys that a schema cannot say; empty when all is well. */
  check?(config: z.output<S>): { path: string; message: string; hint?: string }[];
  /** Absent: one alert per send. */
  batch?: BatchLimits;
  /** Sends in flight at once by default; 64 when absent. */
  concurrency?: number;
  /** Opens the output; vendor packages are imported here and only here. */
  open(config: z.output<S>, host: Host): Promise<Output>;
  /** The smallest configuration that works, for the documentation and the contract tests. */
  example: z.input<S>;
}

/** Keeps the key types of a definition while checking its shape. */
export function defineOutput<S extends z.ZodObject>(definition: OutputDefinition<S>): OutputDefinition<S> {
  return definition;
}
