/** The command line with its writing caught, and a daemon's far end to talk to. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Env } from '../../../src/cli/io.ts';
import { run } from '../../../src/cli/program.ts';

export interface Outcome {
  code: number;
  out: string;
  err: string;
}

interface Settings {
  env?: Env;
  colours?: boolean;
  signal?: AbortSignal;
  /** Sees each piece of the results as it is printed. */
  onPrint?: (text: string) => void;
}

export async function cli(argv: string[], settings: Settings = {}): Promise<Outcome> {
  const outcome: Outcome = { code: -1, out: '', err: '' };
  outcome.code = await run(argv, settings.env ?? {}, {
    async print(text) {
      outcome.out += text;
      settings.onPrint?.(text);
    },
    note(text) {
      outcome.err += text;
    },
    colours: settings.colours ?? false,
    columns: undefined,
    signal: settings.signal ?? new AbortController().signal,
  });
  return outcome;
}

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: unknown;
}

export type Answer = (asked: Asked, response: ServerResponse) => unknown;

/** A server on loopback. Routes are `METHOD /path`; what a route returns is sent as JSON, undefined: it answers itself. */
export async function daemon(routes: Record<string, Answer>): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://localhost');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const one: Asked = {
      method: request.method!,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    asked.push(one);
    const route = routes[`${one.method} ${one.path}`];
    if (!route) return problem(response, 404, 'there is nothing at this path');
    const answer = route(one, response);
    if (typeof answer === 'string') response.end(answer);
    else if (answer !== undefined)
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

export function problem(response: ServerResponse, status: number, detail: string): undefined {
  response.writeHead(status, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: 'Not so', status, detail }));
}

/** An address where nobody listens. */
export async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** A folder for one test, with files in it. */
export function folder(files: Record<string, string> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'tiercel-cli-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

export function alert(values: Record<string, unknown> = {}) {
  return {
    uuid: '11111111-2222-4333-8444-555555555555',
    output: 'A shell was opened',
    priority: 'Critical',
    rule: 'Terminal shell in container',
    time: '2026-01-31T12:00:00.5Z',
    output_fields: {},
    source: 'syscall',
    ...values,
  };
}
