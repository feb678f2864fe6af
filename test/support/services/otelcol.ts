import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Identity } from './certificates.ts';
import { readUntil } from './http.ts';
import { cacheFolder, freePorts, launch, listens, scratch } from './process.ts';

/** The version that scripts/services.sh builds. */
const VERSION = '0.120.0';
const program = join(cacheFolder(), `otelcol-${VERSION}`, 'otelcol');

/** Why there is no OpenTelemetry Collector; undefined when there is one. */
export function missingOtelcol(): string | undefined {
  return existsSync(program) ? undefined : `the OpenTelemetry Collector ${VERSION} is not there`;
}

export interface Attribute {
  key: string;
  value: { stringValue?: string; arrayValue?: { values?: { stringValue: string }[] }; boolValue?: boolean };
}
type Item = Record<string, unknown> & { attributes: Attribute[] };

/** An item with the attributes of its resource and the name of its scope. */
export interface ReceivedItem {
  resource: Attribute[];
  scope: string;
  item: Item;
}

export interface Collector {
  grpc: string;
  http: string;
  /** Spans, log records or metrics, in the order of their arrival, once there are at least that many. */
  received(signal: 'traces' | 'logs' | 'metrics', count: number): Promise<ReceivedItem[]>;
  stop(): Promise<void>;
}

const NAMES = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const;

/** Starts a collector that writes what it receives to files. @param server it speaks TLS with this certificate */
export async function startOtelcol(server?: Identity): Promise<Collector> {
  const folder = await scratch('otelcol');
  const [grpc, http] = (await freePorts(2)) as [number, number];
  const tls = server ? { tls: { cert_file: server.certFile, key_file: server.keyFile } } : {};
  const fileOf = (signal: string) => join(folder.path, `${signal}.jsonl`);
  const signals = Object.keys(NAMES) as (keyof typeof NAMES)[];
  const config = {
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: `127.0.0.1:${grpc}`, ...tls },
          http: { endpoint: `127.0.0.1:${http}`, ...tls },
        },
      },
    },
    exporters: Object.fromEntries(
      signals.map(signal => [`file/${signal}`, { path: fileOf(signal), flush_interval: '50ms' }]),
    ),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        signals.map(signal => [signal, { receivers: ['otlp'], exporters: [`file/${signal}`] }]),
      ),
    },
  };
  const file = join(folder.path, 'config.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const running = await launch({
    command: program,
    args: ['--config', file],
    ready: async () => (await listens(grpc)) && (await listens(http)),
    withinMs: 30_000,
  });
  const scheme = server ? 'https' : 'http';
  return {
    grpc: `${scheme}://127.0.0.1:${grpc}`,
    http: `${scheme}://127.0.0.1:${http}`,
    received: (signal, count) =>
      readUntil(
        async () => toItems(await readFile(fileOf(signal), 'utf8').catch(() => ''), NAMES[signal]),
        items => items.length >= count,
      ),
    stop: async () => {
      await running.stop();
      await folder.remove();
    },
  };
}

function toItems(
  lines: string,
  [resources, scopes, items]: readonly [string, string, string],
): ReceivedItem[] {
  // The last line may not be whole yet.
  const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter(Boolean)
    .flatMap(line => JSON.parse(line)[resources] as Record<string, unknown>[])
    .flatMap(resource =>
      (resource[scopes] as Record<string, unknown>[]).flatMap(scope =>
        (scope[items] as Item[]).map(item => ({
          resource: (resource.resource as { attributes: Attribute[] }).attributes,
          scope: (scope.scope as { name: string }).name,
          item,
        })),
      ),
    );
}
