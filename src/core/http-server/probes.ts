/** What orchestrators ask again and again. Answered without express, which a daemon that only takes alerts never loads. */
import type { ServerResponse } from 'node:http';
import { sendJson, sendText } from './answer.ts';
import type { Readiness } from './backend.ts';
import type { Place } from './target.ts';

const HEALTHY = '{"status": "ok"}';

/**
 * Answers a probe, whatever its method: bodies, types and statuses are those of falcosidekick, which its users' checks
 * expect. False when the place is none.
 */
export function answerProbe(place: Place, response: ServerResponse, readiness: () => Readiness): boolean {
  if (place === '/ping') {
    sendText(response, 200, 'pong\n');
  } else if (place === '/healthz') {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': HEALTHY.length });
    response.end(HEALTHY);
  } else if (place === '/readyz') {
    const found = readiness();
    sendJson(response, found.ready ? 200 : 503, found);
  } else return false;
  return true;
}
