/** Commands of daemons under test, and the configuration that each dialect wants. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SinkKind } from './sink.ts';
import { KAFKA_TOPIC } from './subscribers.ts';

/** Whose configuration a command reads: falcosidekick's (Tiercel's too), or that of Benthos. */
export type Dialect = 'falcosidekick' | 'benthos';

/** A daemon under test. */
export interface System {
  name: string;
  /** The command with `{config}`, `{dir}` and `{port}` in it. */
  words: string[];
  dialect: Dialect;
  /** Merged into the configuration. */
  extra: Record<string, unknown>;
}

export interface Output {
  kind: SinkKind;
  url: string;
  /** Merged into the output's section. */
  settings?: Record<string, unknown>;
}

type Tree = Record<string, unknown>;

/** Splits a command as a shell would: blanks separate, quotes hold together. */
export function splitWords(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
  );
}

/** The command with its values put in. Files beside the caller get full paths: a daemon runs in a folder of its own. */
export function fillIn(words: readonly string[], values: Record<string, string>): string[] {
  return words.map(word => {
    const filled = word.replace(/\{(config|dir|port)\}/g, (_, name: string) => values[name]!);
    return filled === word && word.includes('/') && existsSync(word) ? resolve(word) : filled;
  });
}

/** Puts one tree over another; maps are merged, all else is replaced. */
export function merge(under: Tree, over: Tree): Tree {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? merge(below, value) : value;
  }
  return merged;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where a daemon says that it is up. */
export function healthPath(dialect: Dialect): string {
  return dialect === 'benthos' ? '/ready' : '/ping';
}

/** The configuration with the given outputs, as JSON, which is YAML too. */
export function configFor(
  { dialect, extra }: System,
  ports: { alerts: number; health: number },
  outputs: readonly Output[],
): string {
  const config = dialect === 'benthos' ? forBenthos(ports, outputs) : forFalcosidekick(ports, outputs);
  return JSON.stringify(merge(config, extra), null, 2);
}

function forFalcosidekick({ alerts }: { alerts: number }, outputs: readonly Output[]): Tree {
  const config: Tree = { listenaddress: '127.0.0.1', listenport: alerts };
  const kinds = new Set(outputs.map(({ kind }) => kind));
  for (const kind of kinds) {
    const sections = outputs.filter(output => output.kind === kind).map(sectionOf);
    // Several of a kind are Tiercel's own form: a list, each with a name.
    config[kind] =
      sections.length === 1 ? sections[0] : sections.map((each, index) => ({ name: `n${index}`, ...each }));
  }
  return config;
}

function sectionOf({ kind, url, settings }: Output): Tree {
  return {
    ...addressOf(kind, url),
    ...(url.startsWith('https:') ? { checkcert: false } : {}),
    ...settings,
  };
}

function addressOf(kind: SinkKind, url: string): Tree {
  switch (kind) {
    case 'webhook':
    case 'cloudevents':
      return { address: `${url}/${kind}` };
    case 'loki':
    case 'elasticsearch':
    case 'nats':
      return { hostport: url };
    case 'alertmanager':
      return { hostport: [url] };
    case 'kafka':
      return { hostport: url, topic: KAFKA_TOPIC };
    default:
      return { webhookurl: `${url}/${kind}` };
  }
}

/** An HTTP server before one HTTP client for each output. @throws Error for outputs that its core does not have */
function forBenthos(ports: { alerts: number; health: number }, outputs: readonly Output[]): Tree {
  const clients = outputs.map(({ kind, url }) => {
    if (kind === 'nats' || kind === 'kafka') throw new Error(`Benthos has no ${kind} output in its core`);
    const tls = url.startsWith('https:') ? { tls: { enabled: true, skip_cert_verify: true } } : {};
    const headers = { 'Content-Type': 'application/json' };
    return { http_client: { url: `${url}/${kind}`, verb: 'POST', headers, ...tls } };
  });
  const fanOut = { broker: { pattern: 'fan_out', outputs: clients } };
  return {
    http: { enabled: true, address: `127.0.0.1:${ports.health}` },
    logger: { level: 'WARN' },
    input: {
      http_server: {
        address: `127.0.0.1:${ports.alerts}`,
        path: '/',
        allowed_verbs: ['POST'],
        timeout: '5s',
      },
    },
    output: clients.length > 1 ? fanOut : (clients[0] ?? { drop: {} }),
  };
}
