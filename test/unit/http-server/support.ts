/** A server over a backend that only remembers, and small clients that speak to it over real sockets. */
import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import { type Alert, type AlertDraft, sealAlert } from '../../../src/core/alert/alert.ts';
import type { ServerConfig } from '../../../src/core/config/types.ts';
import type {
  Backend,
  ReplayOutcome,
  RequestRefusal,
  TestOutcome,
} from '../../../src/core/http-server/backend.ts';
import { createServer, type HttpServer, type Listening } from '../../../src/core/http-server/server.ts';
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetters,
  Entry,
  ReadRange,
} from '../../../src/core/spool/contract.ts';

export const alertText = (over: Record<string, unknown> = {}): string =>
  JSON.stringify({
    output: 'a shell was opened',
    priority: 'Warning',
    rule: 'Terminal shell in container',
    time: '2026-01-31T12:00:00.123456789Z',
    source: 'syscall',
    output_fields: { 'proc.name': 'sh' },
    ...over,
  });

export const serverConfig = (over: Partial<ServerConfig> = {}): ServerConfig => ({
  address: '127.0.0.1',
  port: 0,
  maxBodyBytes: 1024 * 1024,
  maxPendingBytes: 16 << 20,
  maxConnections: 1000,
  maxInFlight: 100,
  requestTimeoutMs: 30_000,
  keepAliveMs: 600_000,
  ...over,
  auth: { token: '', username: '', password: '', path: '', adminToken: '', ...over.auth },
});

/** Remembers what it is told; keeps alerts in a list that stands for the log. */
export class FakeBackend implements Backend {
  readonly log: Entry[] = [];
  readonly letters: DeadLetter[] = [];
  readonly calls: unknown[] = [];
  /** Put in place of the taking of alerts. */
  onTake: ((drafts: readonly AlertDraft[]) => Promise<void>) | undefined;
  onReload: (() => Promise<void>) | undefined;
  ready = true;
  #wake: (() => void)[] = [];

  get taken(): Alert[] {
    return this.log.map(entry => entry.alert);
  }

  async take(drafts: readonly AlertDraft[]): Promise<void> {
    await this.onTake?.(drafts);
    this.append(drafts.map(sealAlert));
  }

  append(alerts: readonly Alert[], appendedAt = Date.now()): void {
    for (const alert of alerts) this.log.push({ offset: this.log.length + 1, appendedAt, alert });
    for (const wake of this.#wake.splice(0)) wake();
  }

  readiness() {
    const problems = this.ready ? [] : [{ part: 'spool', message: 'the disk is full', blocking: true }];
    return { ready: this.ready, problems };
  }

  async metrics() {
    return { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'tiercel_up 1\n' };
  }

  status() {
    return {
      version: '1.2.3',
      startedAt: 1,
      readiness: this.readiness(),
      spool: {
        entries: this.log.length,
        bytes: 0,
        memoryBytes: 0,
        firstOffset: 1,
        nextOffset: this.log.length + 1,
        oldestAt: undefined,
        setAside: 0,
        fault: undefined,
        full: false,
      },
      outputs: [],
      reloads: { ok: 0, failed: 0 },
    };
  }

  maskedConfig() {
    return { slack: { webhookurl: '***' } };
  }

  async *entries(range: ReadRange & { follow?: boolean }, signal: AbortSignal): AsyncGenerator<Entry> {
    let at = (range.fromOffset ?? 1) - 1;
    while (!signal.aborted) {
      for (; at < this.log.length && !signal.aborted; at++) {
        const entry = this.log[at]!;
        if (entry.appendedAt >= (range.since ?? 0) && entry.appendedAt <= (range.until ?? Infinity))
          yield entry;
      }
      if (!range.follow || signal.aborted) return;
      await new Promise<void>(resolve => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
    }
  }

  deadLetters(): DeadLetters {
    return {
      add: async () => 0,
      list: async (filter: DeadLetterFilter = {}) => {
        this.calls.push(['list', filter]);
        return this.letters;
      },
      count: () => this.letters.length,
      tally: async () => new Map(),
      remove: async (filter: DeadLetterFilter) => {
        this.calls.push(['remove', filter]);
        return this.letters.length;
      },
    };
  }

  async replayDeadLetters(filter: DeadLetterFilter): Promise<ReplayOutcome> {
    if (filter.output === 'nobody') throw new RangeError('there is no output called nobody');
    this.calls.push(['replayDeadLetters', filter]);
    return { queued: 7, skipped: 3 };
  }

  async replayLog(output: string, range: ReadRange): Promise<void> {
    if (output !== 'slack') throw new RangeError(`there is no output ${output}`);
    this.calls.push(['replayLog', output, range]);
  }

  async test(output: string | undefined): Promise<TestOutcome[]> {
    if (output !== undefined && output !== 'slack') throw new RangeError(`there is no output ${output}`);
    return [{ output: 'slack', ok: true, durationMs: 3 }];
  }

  async reload(): Promise<void> {
    await this.onReload?.();
  }
}

export interface LogLine {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

/** A running server and all that it told others. */
export interface Rig extends Listening {
  server: HttpServer;
  backend: FakeBackend;
  url: string;
  accepted: number;
  refused: RequestRefusal[];
  logged: LogLine[];
  /** Resolves with the next line whose message matches. */
  nextLog(pattern: RegExp): Promise<LogLine>;
  close(): Promise<void>;
}

export function buildServer(over: Partial<ServerConfig> = {}, backend = new FakeBackend()) {
  const refused: RequestRefusal[] = [];
  const logged: LogLine[] = [];
  const waiting: { pattern: RegExp; resolve: (line: LogLine) => void }[] = [];
  const counts = { accepted: 0 };
  const write = (level: string) => (fields: Record<string, unknown>, message: string) => {
    const line = { level, fields, message };
    logged.push(line);
    for (const { pattern, resolve } of waiting) if (pattern.test(message)) resolve(line);
  };
  const server = createServer({
    config: serverConfig(over),
    backend,
    observer: {
      accepted: alerts => {
        counts.accepted += alerts;
      },
      refused: reason => refused.push(reason),
    },
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    version: '1.2.3',
  });
  const nextLog = (pattern: RegExp) =>
    new Promise<LogLine>(resolve => {
      waiting.push({ pattern, resolve });
    });
  return { server, backend, refused, logged, nextLog, counts };
}

export async function startServer(
  over: Partial<ServerConfig> = {},
  backend = new FakeBackend(),
): Promise<Rig> {
  const { server, refused, logged, nextLog, counts } = buildServer(over, backend);
  const listening = await server.listen();
  return {
    ...listening,
    server,
    backend,
    refused,
    logged,
    nextLog,
    get accepted() {
      return counts.accepted;
    },
    url: `${over.tls ? 'https' : 'http'}://127.0.0.1:${listening.port}`,
    close: () => server.close(0),
  };
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** One request over a connection of its own. */
export function call(
  url: string,
  options: http.RequestOptions & { body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, ...rest }, response => {
      const chunks: Buffer[] = [];
      response.on('data', chunk => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Posts a body and reads the answer. */
export function post(
  url: string,
  body: string | Buffer,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
  return call(url, {
    method: 'POST',
    body,
    headers: { 'content-length': Buffer.byteLength(body), ...headers },
  });
}

/** Writes raw bytes and reads all that comes until the server closes. */
export async function raw(port: number, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  socket.on('error', () => {});
  for (const piece of pieces) socket.write(piece);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}
