/** The API under /api/v1, see docs/api.md. Reading wants what the ingest wants, changing the admin token. */
import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { endWhole } from '../answer.ts';
import type { AppOptions } from './app-options.ts';
import { expectReadable, follow, readNewest } from './history.ts';
import { readLetters, removeLetters } from './letters.ts';
import { ApiError, problemHandler, sendProblem } from './problem.ts';
import {
  DEFAULT_LIMIT,
  expectOnly,
  type Params,
  parseAlertQuery,
  parseLetterFilter,
  textParam,
  timeParam,
} from './query.ts';
import { Turns } from './turns.ts';

const MOST_FOLLOWERS = 64;
/** Pages of alerts and dead letters: each may come to 16 MiB, which is held until its reader has it. */
const PAGES = { most: 8, waitMs: 5_000, takeMs: 60_000 };
const BODY_LIMIT = '256kb';

/** The routes below /api. */
export function createApi(options: AppOptions): Router {
  const { backend, refusals, version, log } = options;
  const api = Router();
  const guards = createGuards(options);
  const readBody = express.json({ limit: BODY_LIMIT, type: () => true });
  // Who may not change anything is told so before its body is read.
  const change = [guards.admin, readBody];
  const read = [guards.reader, withoutParams];
  const pages = new Turns(PAGES);

  route(api, '/v1', {
    get: [...read, (_request, response) => send(response, { name: 'tiercel', version })],
  });
  route(api, '/v1/status', {
    get: [...read, (_request, response) => send(response, backend.status())],
  });
  route(api, '/v1/outputs', {
    get: [...read, (_request, response) => send(response, { items: backend.status().outputs })],
  });
  route(api, '/v1/config', {
    get: [...read, (_request, response) => send(response, backend.maskedConfig())],
  });
  route(api, '/v1/refusals', {
    get: [...read, (_request, response) => send(response, { items: refusals.list() })],
  });
  route(api, '/v1/alerts', { get: [guards.reader, alertsHandler(options, pages)] });
  route(api, '/v1/dead-letters', {
    get: [
      guards.reader,
      async (request, response) => {
        const params = paramsOf(request);
        await turn(pages, response);
        sendText(response, await readLetters(backend, params));
      },
    ],
    delete: [
      ...change,
      async (request, response) =>
        send(response, { removed: await removeLetters(backend, paramsOf(request)) }),
    ],
  });
  route(api, '/v1/dead-letters/replay', {
    post: [
      ...change,
      async (request, response) => {
        const filter = parseLetterFilter(paramsOf(request), Date.now());
        send(response, await knownOutput(() => backend.replayDeadLetters(filter)), 202);
      },
    ],
  });
  route(api, '/v1/replay', {
    post: [
      ...change,
      async (request, response) => {
        await replayLog(options, request);
        send(response, { queued: true }, 202);
      },
    ],
  });
  route(api, '/v1/test', {
    post: [
      ...change,
      async (request, response) => {
        const params = paramsOf(request);
        expectOnly(params, ['output']);
        const signal = signalOf(options, response);
        send(response, { items: await knownOutput(() => backend.test(textParam(params, 'output'), signal)) });
      },
    ],
  });
  route(api, '/v1/reload', {
    post: [
      ...change,
      withoutParams,
      async (_request, response) => {
        await backend.reload();
        send(response, { reloaded: true });
      },
    ],
  });
  api.use((_request, response) =>
    sendProblem(response, 404, 'there is nothing at this path; see docs/api.md'),
  );
  api.use(problemHandler(log));
  return api;
}

type Handler = (request: Request, response: Response, next: NextFunction) => void | Promise<void>;

/** Adds a path with its methods; any other method is a 405 that names them. */
function route(
  api: Router,
  path: string,
  methods: { get?: Handler[]; post?: Handler[]; delete?: Handler[] },
): void {
  const route = api.route(path);
  for (const [method, handlers] of Object.entries(methods))
    route[method as keyof typeof methods](...handlers);
  const allow = Object.keys(methods).map(method => method.toUpperCase());
  if (methods.get) allow.push('HEAD');
  route.all(request => {
    throw new ApiError(405, `${request.method} is not possible here`, { Allow: allow.join(', ') });
  });
}

function createGuards({ settings, refusals, shownPath }: AppOptions): { reader: Handler; admin: Handler } {
  const deny = (request: Request, status: 401 | 403, message: string): never => {
    refusals.noteRequest(request, shownPath(request), { reason: 'unauthorized', message });
    throw new ApiError(
      status,
      message,
      status === 401 ? { 'WWW-Authenticate': challengeOf(settings.auth.challenge) } : {},
    );
  };
  return {
    reader(request, _response, next) {
      if (!settings.auth.allows(request)) deny(request, 401, 'missing or wrong credentials');
      next();
    },
    admin(request, _response, next) {
      const denial = settings.auth.deniesChange(request);
      if (denial) deny(request, denial.status, denial.message);
      next();
    },
  };
}

// The admin token is a bearer token, whatever the ingest takes.
function challengeOf(challenge: string): string {
  return challenge.includes('Bearer') ? challenge : `${challenge}, Bearer realm="tiercel"`;
}

/** @throws ApiError (503) when the pages of others take too long */
async function turn(pages: Turns, response: Response): Promise<void> {
  if (!(await pages.begin(response)))
    throw new ApiError(503, `${PAGES.most} others are being answered already`, { 'Retry-After': '5' });
}

function withoutParams(request: Request, _response: Response, next: NextFunction): void {
  expectOnly(paramsOf(request), []);
  next();
}

function alertsHandler(options: AppOptions, pages: Turns): Handler {
  const { backend } = options;
  let followers = 0;
  return async (request, response) => {
    const query = parseAlertQuery(paramsOf(request), Date.now());
    const signal = query.follow ? followedBy(request, options, response) : signalOf(options, response);
    if (!query.follow) await turn(pages, response);
    await expectReadable(backend, signal);
    if (!query.follow) {
      const page = await readNewest(backend, query, query.limit ?? DEFAULT_LIMIT, signal);
      const before = page.before === undefined ? '' : `,"before":${page.before}`;
      sendText(response, `{"items":[${page.items.join(',')}]${before}}`);
      return;
    }
    if (followers >= MOST_FOLLOWERS) {
      throw new ApiError(503, `${MOST_FOLLOWERS} others follow the alerts already`, { 'Retry-After': '10' });
    }
    followers++;
    try {
      response.set({ 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
      response.flushHeaders();
      if (request.method !== 'HEAD') await follow(backend, query, response, signal);
    } finally {
      followers--;
    }
    response.end();
  };
}

async function replayLog({ backend }: AppOptions, request: Request): Promise<void> {
  const params = paramsOf(request);
  expectOnly(params, ['output', 'since', 'until']);
  const now = Date.now();
  const output = textParam(params, 'output');
  const since = timeParam(params, 'since', now);
  const until = timeParam(params, 'until', now);
  if (output === undefined) throw new ApiError(400, 'output: which one the alerts are for');
  if (since === undefined) throw new ApiError(400, 'since: from when on, for example 1h');
  if (until !== undefined && until < since) throw new ApiError(400, 'until: lies before since');
  await knownOutput(() => backend.replayLog(output, { since, ...(until === undefined ? {} : { until }) }));
}

// The backend throws a RangeError for an output that it does not know.
async function knownOutput<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RangeError) throw new ApiError(404, error.message);
    throw error;
  }
}

/** Query and body as one; the body wins. */
function paramsOf(request: Request): Params {
  const body: unknown = request.body;
  if (body === undefined || body === null) return { ...request.query };
  if (typeof body !== 'object' || Array.isArray(body))
    throw new ApiError(400, 'the body is not a JSON object');
  return { ...request.query, ...body };
}

/** Aborted when the client leaves or the server stops. */
function signalOf({ stopping }: AppOptions, response: Response): AbortSignal {
  const left = new AbortController();
  response.once('close', () => left.abort());
  return AbortSignal.any([stopping, left.signal]);
}

/** Also aborted when the client ends its side: who has left is not told from who listens on, and this answer has no end. */
function followedBy({ socket }: Request, options: AppOptions, response: Response): AbortSignal {
  const ended = new AbortController();
  const end = () => ended.abort();
  if (socket.readableEnded) end();
  socket.once('end', end);
  response.once('close', () => socket.off('end', end));
  return AbortSignal.any([ended.signal, signalOf(options, response)]);
}

function send(response: Response, value: unknown, status = 200): void {
  sendText(response, JSON.stringify(value), status);
}

function sendText(response: Response, json: string, status = 200): void {
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(json),
  });
  endWhole(response, json);
}
