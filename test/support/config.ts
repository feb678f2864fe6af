/** A configuration loaded from texts alone, with small outputs that have every kind of key. */

import { z } from 'zod';
import { loadConfig } from '../../src/core/config/load.ts';
import type { Config } from '../../src/core/config/types.ts';
import { defineOutput, type OutputDefinition } from '../../src/core/contract.ts';
import { ConfigError, formatProblem } from '../../src/core/errors.ts';
import { flag, integer, list, oneOf, pairs, secret, secretUrl, text } from '../../src/core/keys.ts';

const open = async () => ({ send: async () => {} });

const chat = defineOutput({
  name: 'slack',
  title: 'Slack',
  category: 'chat',
  docs: 'Posts somewhere.',
  http: true,
  keys: z.object({
    webhookurl: secretUrl('URL.'),
    channel: text('Channel.'),
    outputformat: oneOf('Form.', ['all', 'text', 'fields'], 'all'),
    labels: pairs('Labels.'),
    size: integer('Size.', 5, { max: 10 }),
  }),
  enabled: config => config.webhookurl !== '',
  open,
  example: { webhookurl: 'https://hooks.example/token' },
});

const queue = defineOutput({
  name: 'kafka',
  title: 'Kafka',
  category: 'queue',
  docs: 'Sends somewhere.',
  tls: true,
  batch: { items: 100, bytes: 1 << 20, waitMs: 10 },
  concurrency: 4,
  keys: z.object({
    hostport: list('Brokers.'),
    topic: text('Topic.'),
    tls: flag('TLS.'),
    password: secret('Password.'),
  }),
  enabled: config => config.hostport.length > 0 && config.topic !== '',
  check: config =>
    config.hostport.some(broker => broker.includes('://'))
      ? [{ path: 'hostport', message: 'expected host:port', hint: 'leave the scheme out' }]
      : [],
  open,
  example: { hostport: 'kafka:9092', topic: 'falco' },
});

const nested = defineOutput({
  name: 'gcp.functions',
  title: 'Functions',
  category: 'function',
  docs: 'Calls somewhere.',
  keys: z.object({ name: text('Name of the function.') }),
  enabled: config => config.name !== '',
  open,
  example: { name: 'alert' },
});

export const definitions: readonly OutputDefinition[] = [chat, queue, nested];

export interface LoadInput {
  env?: Record<string, string | undefined>;
  files?: Record<string, string>;
  /** Codes of errors, by file. */
  refused?: Record<string, string>;
  strict?: boolean;
  definitions?: readonly OutputDefinition[];
}

export function load(yaml: string, input: LoadInput = {}): Config {
  return loadConfig({
    file: '/etc/tiercel/config.yaml',
    text: yaml,
    env: input.env ?? {},
    definitions: input.definitions ?? definitions,
    strict: input.strict ?? false,
    readFile(path) {
      const { files = {}, refused = {} } = input;
      const content = Object.hasOwn(files, path) ? files[path] : undefined;
      const code = refused[path] ?? 'ENOENT';
      if (content === undefined) throw Object.assign(new Error('no such file'), { code });
      return content;
    },
  });
}

/** The problems of a configuration that is refused, one line each. */
export function problemsOf(yaml: string, input: LoadInput = {}): string[] {
  try {
    load(yaml, input);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** The warnings of a configuration that is accepted. */
export function warningsOf(yaml: string, input: LoadInput = {}): string[] {
  return load(yaml, input).warnings.map(formatProblem);
}
