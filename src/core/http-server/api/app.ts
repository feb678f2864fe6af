/** The express application: everything but the taking of alerts and the probes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { testDraft } from '../../alert/test-alert.ts';
import { endWhole, sendEarly, sendText } from '../answer.ts';
import { createApi } from './api.ts';
import type { AppOptions } from './app-options.ts';
import { Turns } from './turns.ts';

/** With many rules and hosts the text has some 10 MB, which is held until its reader has it. */
const SCRAPES = { most: 4, waitMs: 5_000, takeMs: 30_000 };

/** The answers of falcosidekick's endpoints are its own: bodies, types and statuses are what its users' checks expect. */
export function createApp(options: AppOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { backend, ingest, log } = options;
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple');

  const scrapes = new Turns(SCRAPES);
  app.all('/metrics', senderOnly(options), async (_request, response) => {
    if (!(await scrapes.begin(response))) {
      sendText(response, 503, `${SCRAPES.most} others are being answered already\n`, { 'Retry-After': '5' });
      return;
    }
    const { contentType, text } = await backend.metrics();
    response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) });
    endWhole(response, text);
  });
  app.post('/test', senderOnly(options), (request, response) => {
    ingest.takeTest(request, response, testDraft(Date.now()));
  });
  app.use('/api', createApi(options));
  app.use((request, response) => {
    options.refusals.noteRequest(request, options.shownPath(request), {
      reason: 'method',
      message: `${request.method} takes no alerts; they are sent with POST`,
    });
    sendText(response, 400, 'Please send with post http method\n');
  });
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    log.error({ err: error }, 'HTTP: unexpected error');
    if (response.headersSent) next(error);
    else sendText(response, 500, 'internal error; the log has the details\n');
  });
  return app;
}

/** Lets only those in who may send alerts. */
function senderOnly({ settings, refusals, shownPath }: AppOptions) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (settings.auth.allows(request)) {
      next();
      return;
    }
    refusals.noteRequest(request, shownPath(request), {
      reason: 'unauthorized',
      message: 'missing or wrong credentials',
    });
    sendEarly(request, response, 401, 'missing or wrong credentials\n', {
      'WWW-Authenticate': settings.auth.challenge,
    });
  };
}
