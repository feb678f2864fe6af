import type { IncomingMessage } from 'node:http';
import type { Logger } from '../../contract.ts';
import type { Backend } from '../backend.ts';
import type { Ingest, Settings } from '../ingest.ts';
import type { Refusals } from '../refusals.ts';

/** What the application needs of the server around it. */
export interface AppOptions {
  backend: Backend;
  ingest: Ingest;
  refusals: Refusals;
  settings: Settings;
  /** What may be shown of a request's path. */
  shownPath(request: IncomingMessage): string;
  version: string;
  /** Aborted when the server stops. */
  stopping: AbortSignal;
  log: Logger;
}
