/** Opens outputs of the registry against a far end of the test's own. */
import { identityAnswer, serveMetadata } from '../../scripts/gen/identity.ts';
import type { ConnectionConfig } from '../../src/core/config/types.ts';
import type { Host, HttpRequest, Output, OutputDefinition } from '../../src/core/contract.ts';
import { keyMeta } from '../../src/core/keys.ts';
import { OutputTemplates, type TemplateConfig, templateBodyOf } from '../../src/core/output-template.ts';
import { clientOf } from './http-client.ts';
import type { HttpSink } from './http-sink.ts';
import { type LogLine, recordingLogger } from './logger.ts';

await serveMetadata();

export interface Opened {
  output: Output;
  /** What the output asked the client to send, addresses not turned to the sink yet. */
  requests: HttpRequest[];
  lines: LogLine[];
}

/** The definition's example, or another configuration, as the schema gives it. */
export function configOf(
  definition: OutputDefinition,
  config: object = definition.example,
): Record<string, unknown> {
  return definition.keys.parse(config) as Record<string, unknown>;
}

/**
 * Opens an HTTP output with its real client. Whatever host the output sends to, the request goes to the sink, path and
 * all.
 */
export async function openAgainst(
  definition: OutputDefinition,
  sink: HttpSink,
  options: {
    config?: Record<string, unknown>;
    connection?: Partial<ConnectionConfig>;
    template?: TemplateConfig;
  } = {},
): Promise<Opened> {
  const requests: HttpRequest[] = [];
  const client = clientOf(options.connection, { bodyTimeoutMs: 200 });
  const log = recordingLogger();
  const none = { body: '', text: '', title: '' };
  const templates = new OutputTemplates(options.template ?? none, {
    headers: options.connection?.headers ?? {},
    body: templateBodyOf(definition, options.config ?? configOf(definition)),
    failed: rethrow,
  });
  const http = templates.client({
    async send(request, signal) {
      const identity = identityAnswer(request);
      if (identity) return identity;
      const { hostname, pathname, search } = new URL(request.url);
      // Who gives out identities is asked where the test has put it.
      if (hostname === '127.0.0.1') return client.send(request, signal);
      requests.push(request);
      return client.send({ ...request, url: sink.origin + pathname + search }, signal);
    },
  });
  const host: Host = {
    id: definition.name,
    http,
    connect: () => http,
    outputs: () => [definition.name],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true },
    clock: {
      now: () => Date.parse('2026-01-31T12:00:00Z'),
      monotonic: () => performance.now(),
      random: () => 0.5,
    },
    log,
    templateFailed: rethrow,
  };
  const opened = await definition.open(options.config ?? configOf(definition), host);
  const output: Output = {
    send: (alerts, context) => templates.send(opened, alerts, context),
    ...(opened.probe && { probe: signal => opened.probe!(signal) }),
    ...(opened.close && { close: () => opened.close!() }),
  };
  return { output, requests, lines: log.lines };
}

function rethrow(error: unknown): never {
  throw error;
}

/** The example with a marked text in every secret key. */
export function withSecrets(definition: OutputDefinition, mark: string): Record<string, unknown> {
  const example = definition.example as Record<string, unknown>;
  const config: Record<string, unknown> = { ...example };
  for (const [name, schema] of Object.entries(definition.keys.shape)) {
    const meta = keyMeta(schema as never);
    if (!meta?.secret) continue;
    const value = example[name];
    if (meta.form === 'pairs') config[name] = { 'x-mark': `${mark}-${name}` };
    else if (URL.canParse(String(value))) config[name] = markedUrl(String(value), mark);
    else if (takes(definition, name, mark)) config[name] = `${mark}-${name}`;
  }
  return configOf(definition, config);
}

function markedUrl(url: string, mark: string): string {
  return new URL(`/hook/${mark}-path?key=${mark}-query`, url).href;
}

function takes(definition: OutputDefinition, name: string, value: string): boolean {
  return definition.keys.safeParse({ ...definition.example, [name]: value }).success;
}
