/**
 * What each HTTP output sends for the canonical alerts, byte for byte, against reviewed files in test/golden. Run with
 * GOLDEN=write to write the files anew, then review the difference like code.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { identityAnswer, serveMetadata } from '../../scripts/gen/identity.ts';
import { readableBody } from '../../scripts/gen/readable.ts';
import type { Host, HttpClient, HttpRequest, OutputDefinition } from '../../src/core/contract.ts';
import { outputs } from '../../src/outputs/index.ts';
import { canonicalAlerts } from '../support/alerts.ts';

await serveMetadata();

const FOLDER = new URL('../golden/', import.meta.url);

interface GoldenFile {
  /** The output's own keys. */
  config: Record<string, unknown>;
  /** Alert name → request. */
  requests: Record<string, unknown>;
}

function recordingHost(requests: HttpRequest[], name: string): Host {
  const quiet = () => {};
  const http: HttpClient = {
    send: async ({ sign, ...request }, signal) => {
      const identity = identityAnswer(request);
      if (identity) return identity;
      requests.push((await sign?.(request, signal)) ?? request);
      return { status: 200, headers: {}, body: '{}' };
    },
  };
  return {
    id: 'golden',
    http,
    connect: () => http,
    outputs: () => [name],
    customFields: () => [],
    templatedFields: () => [],
    tls: { verify: true },
    clock: { now: () => 0, monotonic: () => performance.now(), random: () => 0.5 },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    templateFailed(error) {
      throw error;
    },
  };
}

async function requestsOf(definition: OutputDefinition, config: Record<string, unknown>) {
  const requests: HttpRequest[] = [];
  const output = await definition.open(
    definition.keys.parse(config) as never,
    recordingHost(requests, definition.name),
  );
  const seen: Record<string, unknown> = {};
  for (const [name, alert] of canonicalAlerts()) {
    await output.send([alert], { signal: new AbortController().signal, attempt: 1 });
    // Of a template's body alone, and no part of this one.
    const { body, textType: _, ...rest } = requests.pop()!;
    seen[name] = { ...rest, body: readableBody({ ...rest, body }) };
  }
  await output.close?.();
  return seen;
}

const httpOutputs = outputs.filter(definition => definition.http);

test.each(httpOutputs.map(({ name }) => name))('%s has golden requests', name => {
  expect(existsSync(new URL(`${name}/`, FOLDER)), `test/golden/${name} is missing`).toBe(true);
});

describe.each(httpOutputs)('$name', definition => {
  const folder = new URL(`${definition.name}/`, FOLDER);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  test.each(files)('%s', async file => {
    const place = new URL(file, folder);
    const golden = JSON.parse(readFileSync(place, 'utf8')) as GoldenFile;
    const requests = await requestsOf(definition, golden.config);
    if (process.env.GOLDEN === 'write') {
      writeFileSync(place, `${JSON.stringify({ config: golden.config, requests }, null, 2)}\n`);
    } else expect(requests).toEqual(golden.requests);
  });
});
