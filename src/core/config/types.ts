/** The configuration after reading, checking and filling in: what the rest of the core is built from. */

import type { Priority } from '../alert/priority.ts';
import type { BatchLimits, OutputDefinition, ServerTls } from '../contract.ts';
import type { ConfigProblem } from '../errors.ts';
import type { NatsLogin } from '../nats/connect.ts';
import type { TemplateConfig } from '../output-template.ts';
import type { Match } from '../route.ts';

/** Everything. Times are in milliseconds, sizes in bytes. */
export interface Config {
  server: ServerConfig;
  spool: SpoolConfig;
  enrich: EnrichConfig;
  metrics: MetricsConfig;
  log: LogConfig;
  /** How long a stop may take before what is left stays for the next start. */
  shutdownGraceMs: number;
  /** The instances that are turned on. */
  outputs: OutputInstance[];
  /** What was noticed and is lived with. */
  warnings: ConfigProblem[];
  /** The effective configuration with secrets masked, as the file would have it. */
  masked: Record<string, unknown>;
  /** Every secret text that was read, for masking wherever it could show. */
  secrets: readonly string[];
  /** Files that were read (the configuration, secret files): watched for changes. */
  files: readonly string[];
}

export interface ServerConfig {
  /** Empty listens on all addresses. */
  address: string;
  /** 0 takes any free port. */
  port: number;
  maxBodyBytes: number;
  /** Most bytes of bodies on their way in, over all connections. */
  maxPendingBytes: number;
  maxConnections: number;
  /** Alerts posted and not answered yet, beyond which 503 is answered. */
  maxInFlight: number;
  /** Longest wait for a whole request, and for its headers. */
  requestTimeoutMs: number;
  /** How long an idle connection is kept. */
  keepAliveMs: number;
  tls?: ServerTlsConfig;
  auth: AuthConfig;
}

export interface ServerTlsConfig {
  certFile: string;
  keyFile: string;
  /** Set: clients have to show a certificate signed by this authority. */
  clientCaFile?: string;
  /** Paths served in plain HTTP on their own port instead. */
  plainPort: number;
  plainPaths: string[];
}

/** Any one of those that are set lets a sender in; none set: everybody. */
export interface AuthConfig {
  token: string;
  username: string;
  password: string;
  /** A secret first path segment: `/<path>` takes alerts as `/` does. */
  path: string;
  /** Wanted by what changes something; empty: only loopback may. */
  adminToken: string;
}

export interface SpoolConfig {
  driver: 'disk' | 'memory' | 'jetstream';
  /** Data folder; with jetstream that of the local buffer. */
  path: string;
  durability: 'process' | 'power';
  /** Most bytes of log, unread and history together. */
  maxBytes: number;
  /** Unread alerts older than this are dropped; 0: never. */
  maxAgeMs: number;
  /** Read alerts kept for replay: at most this many bytes and this old. */
  historyBytes: number;
  historyAgeMs: number;
  overflow: 'drop-oldest' | 'reject';
  /** Most bytes kept in memory for all outputs together. */
  memoryBytes: number;
  segmentBytes: number;
  /** How long the cursor of an output that was removed is kept. */
  removedMs: number;
  deadLetters: { maxCount: number; maxBytes: number; maxAgeMs: number };
  /** With the driver jetstream only. */
  jetstream?: JetStreamConfig;
}

/** The log on a NATS server or cluster, shared by all replicas that name the same stream. */
export interface JetStreamConfig {
  /** Addresses, as in `nats://host:port`. */
  servers: readonly string[];
  /** Name of the stream; what else there is on the server begins with it. */
  stream: string;
  /** Copies that a cluster keeps of each alert. */
  replicas: number;
  /** How to sign in; all empty where the addresses say it, or nobody asks. */
  login: NatsLogin;
  tls: ServerTls;
  /** Most bytes of the local buffer that takes alerts while the server is away. */
  bufferBytes: number;
}

export interface EnrichConfig {
  customFields: Record<string, string>;
  customTags: string[];
  /** Field name → Go template over the output fields. */
  templatedFields: Record<string, string>;
  bracketReplacer: string;
  outputFieldFormat: string;
  /** `cut`: falcosidekick's rule of 4096 and 512 bytes. */
  longFields: 'keep' | 'cut';
}

export interface MetricsConfig {
  /** Output fields that become labels of the alert counter. */
  extraLabels: string[];
  /** Most series of one metric; further ones are counted together. */
  maxSeries: number;
}

export interface LogConfig {
  level: 'debug' | 'info' | 'warn' | 'error';
  format: 'auto' | 'json' | 'pretty';
}

/** How one instance of an output delivers. */
export interface DeliveryConfig {
  /** Per try. */
  timeoutMs: number;
  /** Sends in flight at once; 1 keeps the order. */
  concurrency: number;
  retry: {
    /** Given up when the alert is older than this. */
    maxAgeMs: number;
    /** Given up after this many tries; 0: no limit. */
    attempts: number;
    /** First and longest wait between tries. */
    minMs: number;
    maxMs: number;
  };
  breaker: {
    /** Opens after this many failures in a row. */
    failures: number;
    /** Longest wait between probes. */
    maxMs: number;
  };
  /** Where an output that was not there before starts in the log. */
  from: 'now' | 'beginning';
  /** Alerts per second; 0: no limit. Shared: by all processes with the same log. */
  rateLimit: { perSecond: number; burst: number; shared?: boolean };
  /** Absent where the output's API takes one alert at a time. */
  batch?: BatchLimits;
}

/** HTTP and TLS settings of one instance, files not read yet. */
export interface ConnectionConfig {
  /** False takes any certificate. */
  verify: boolean;
  caFiles: string[];
  certFile: string;
  keyFile: string;
  serverName: string;
  /** Proxy URL; empty: the proxy variables decide. */
  proxy: string;
  headers: Record<string, string>;
}

/** One place where alerts go. */
export interface OutputInstance {
  /** `slack`, `awss3` for aws.s3, or `slack.soc` for an instance called soc: metric label, log field, consumer name. */
  id: string;
  definition: OutputDefinition;
  /** The output's own keys, parsed by its schema. */
  config: Record<string, unknown>;
  minimumPriority: Priority | '';
  match: Match[];
  delivery: DeliveryConfig;
  connection: ConnectionConfig;
  /** Absent when none is set. */
  template?: TemplateConfig;
  /** Equal for two instances that need no restart between them. */
  fingerprint: string;
}
