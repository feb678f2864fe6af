/**
 * All that an output may know of the core: the alert, the effects it is handed, and the shape it has to have.
 * An output never learns of queues, retries or metrics.
 */
import type { z } from 'zod';
import type { Alert } from './alert/alert.ts';
import type { FailureReason } from './errors.ts';

export type { Alert } from './alert/alert.ts';
export type { Priority } from './alert/priority.ts';

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
  /** Milliseconds since the epoch: for what people read and for ages. It may be set back and forth. */
  now(): number;
  /** Milliseconds since some time, never set: for durations and deadlines. */
  monotonic(): number;
  /** Uniform in [0, 1). */
  random(): number;
}

export type AbortListener = (() => void) | { handleEvent(): void };

/**
 * Tells when to give up. Every AbortSignal is one; for the try of an alert, core has something cheaper. Who has to hand a
 * real one on makes it with `toAbortSignal` of the kit.
 */
export interface Cancellation {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: AbortListener): void;
  removeEventListener(type: 'abort', listener: AbortListener): void;
}

/** One HTTP request as an output describes it. Header names are lower case; their values go out as UTF-8. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body: Buffer | string | undefined;
  /** The request makes something ready and holds no alert: no `template.body` is for it. */
  setup?: true;
  /** Content type that a `template.body` has, where the output's own body is no text. */
  textType?: string;
  /** Where the answer's body is to be kept beyond the usual 64 KiB. */
  maxAnswerBytes?: number;
  /**
   * Signs the request as it goes out: body and headers of the configuration are in place, and a template's too.
   * @throws RetriableError | PermanentError
   */
  sign?(request: HttpRequest, until: Cancellation): Promise<HttpRequest>;
}

/** An HTTP answer; the body is cut at 64 KiB, or at what the request says. Header names are lower case. */
export interface HttpResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** The body has only begun: it broke off or stalled, or there was more of it than is kept. */
  isCut?: boolean;
  /** What of the request must not be shown (path, credentials), in case the answer repeats it. */
  secrets?(): string[];
}

/** The one way out over HTTP: pooled, with the output's TLS, proxy and limits. */
export interface HttpClient {
  /**
   * Sends a request and reads the whole answer, whatever its status.
   * @throws RetriableError with reason `network` or `timeout` when no answer arrived.
   */
  send(request: HttpRequest, until: Cancellation): Promise<HttpResponse>;
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

/**
 * TLS for a server that something else than the output's common keys describes, for example a kubeconfig. Files are
 * read anew when they change.
 */
export interface ServerTls {
  /** False takes any certificate. */
  verify: boolean;
  /** PEM files; empty for none. */
  caFiles: string[];
  certFile: string;
  keyFile: string;
  /** Name expected in the server's certificate and sent as SNI; empty for the host of the URL. */
  serverName: string;
  /** PEM texts where there are no files. */
  pem?: { ca?: string; cert?: string; key?: string };
}

/** What an output is given to act with. */
export interface Host {
  http: HttpClient;
  /**
   * A client with other TLS and otherwise the settings of `http`. The core closes it with the output.
   * @throws Error with a sentence when the certificates cannot be used
   */
  connect(tls: ServerTls): HttpClient;
  /** TLS for outputs with their own client library. */
  tls: TlsSettings;
  clock: Clock;
  log: Logger;
  /** The output's id: its label in metrics and logs. */
  id: string;
  /** The names of all outputs that are on at present, this one included. */
  outputs(): readonly string[];
  /** The names of the fields that the configuration adds to alerts with the same value for all. */
  customFields(): readonly string[];
  /** The names of those whose value follows from the alert. */
  templatedFields(): readonly string[];
  /** Counts and logs a template that failed on an alert; the alert goes out without what it gives. */
  templateFailed(error: unknown): void;
  /** What the daemon has counted since its start; absent where none runs. */
  counts?(): readonly Count[];
  /** What of it was counted before the output was wanted: nothing for those that the daemon starts with. */
  countedBefore?: readonly Count[];
  /** Counts messages that held no alert, the daemon's own counts for example, as sends of this output. */
  sent?(messages: number, durationMs: number, outcome: 'ok' | FailureReason): void;
}

/** One of the daemon's own counts. */
export interface Count {
  /**
   * Alerts by `source` and `status` (accepted, rejected), what was rejected by `reason`, or sends by `destination` (an
   * output's id) and `status`.
   */
  of: 'inputs' | 'refusals' | 'outputs';
  labels: Readonly<Record<string, string>>;
  value: number;
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
  readonly signal: Cancellation;
  /** 1 for the first try; more for alerts that go by themselves after a request for several was refused. */
  readonly attempt: number;
}

/**
 * What `template.body` stands in for. `request`: the whole body, for one alert. `json`, `text`: the alert within what is
 * sent (a line of many, an object, a field), a JSON value or any text; the output then sees `templated` alerts.
 * `refused`: nothing of its own can be put there; a sentence for the user.
 */
export type TemplateBody = 'request' | 'json' | 'text' | { refused: string };

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
  /**
   * Own keys that can stand in the section above as well (`aws.region` for `aws.sqs`): taken from there when the
   * output's section does not set them.
   */
  inherits?: readonly string[];
  /** Adds the common HTTP keys: checkcert, mutualtls, customheaders, proxy, ... */
  http?: boolean;
  /** Headers, in lower case, that `customheaders` do not replace. For outputs with `http`. */
  ownHeaders?(config: z.output<S>): readonly string[];
  /** Adds `tls` keys for outputs with their own client library. */
  tls?: boolean;
  /** Whether the settings turn the output on, for example because its URL is set. */
  enabled(config: z.output<S>): boolean;
  /** Problems between keys that a schema cannot say; empty when all is well. */
  check?(config: z.output<S>): { path: string; message: string; hint?: string }[];
  /**
   * For settings that name several far sides of which each gets every alert: the settings of each, by an ending of
   * letters, digits, - and _ for its id. Each becomes an output of its own, so that none waits for another. Undefined
   * when there is one.
   */
  split?(config: z.output<S>): ReadonlyMap<string, z.output<S>> | undefined;
  /** The minimum priority holds for the test rule too, which passes it elsewhere. */
  filtersTestRule?: boolean;
  /** Where `template.body` goes; the whole body of the request when absent. For outputs with `http`. */
  templateBody?(config: z.output<S>): TemplateBody;
  /** False for alerts that the output can make nothing of, whatever its settings: they are skipped. */
  takes?(alert: Alert): boolean;
  /** Absent: one alert per send. */
  batch?: BatchLimits;
  /** Instead of `batch`, where the settings decide; undefined: one alert per send. */
  batchBy?(config: z.output<S>): BatchLimits | undefined;
  /** Sends in flight at once by default; 64 when absent. */
  concurrency?: number;
  /**
   * What the output does through the API server of the cluster that it runs in: rules of a ClusterRole for the account of
   * its pod. The Helm chart grants them where the output is on.
   */
  clusterRules?: readonly { apiGroups: string[]; resources: string[]; verbs: string[] }[];
  /** Opens the output; vendor packages are imported here and only here. */
  open(config: z.output<S>, host: Host): Promise<Output>;
  /** The smallest configuration that works, for the documentation and the contract tests. */
  example: z.input<S>;
}

/** Keeps the key types of a definition while checking its shape. */
export function defineOutput<S extends z.ZodObject>(definition: OutputDefinition<S>): OutputDefinition<S> {
  return definition;
}
