/** `tiercel tail`: the running daemon's alerts, the last ones and those that come. */
import { decodeAlert } from '../../core/alert/alert.ts';
import { type JsonObject, parseExact } from '../../core/alert/json.ts';
import { parsePriority } from '../../core/alert/priority.ts';
import { toLine } from '../../outputs/console.ts';
import type { ApiClient, Query } from '../api.ts';
import { type DaemonOptions, withDaemon } from '../connect.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { toJsonText } from '../text.ts';
import { parseMoment } from '../times.ts';

interface TailOptions extends DaemonOptions {
  since?: string;
  rule?: string;
  priority?: string;
  source?: string;
  grep?: string;
  lines?: number;
  follow: boolean;
  json?: boolean;
}

/** A page of `GET /api/v1/alerts`, oldest first. */
interface Page {
  items: { alert: JsonObject }[];
  /** Where the page of older ones ends; absent when there are none. */
  before?: number;
}

const DEFAULT_LINES = 10;
// docs/api.md: most items in one answer.
const PAGE = 1000;

export function tail(options: TailOptions, context: Context): Promise<ExitCode> {
  const query = toQuery(options);
  const lines = options.lines ?? (options.since === undefined ? DEFAULT_LINES : undefined);
  const show = (alert: JsonObject) =>
    context.io.print(`${toText(alert, options.json === true, context.io.colours)}\n`);
  return withDaemon(options, context, async api => {
    if (!options.follow) {
      for (const alert of await past(api, query, lines ?? Number.POSITIVE_INFINITY)) await show(alert);
      return EXIT.ok;
    }
    const following = { ...query, limit: lines || undefined, follow: true };
    for await (const line of api.lines('alerts', {
      query: following,
      signal: context.io.signal,
      timeoutMs: 0,
    })) {
      await show((parseExact(line) as { alert: JsonObject }).alert);
    }
    if (context.io.signal.aborted) return EXIT.ok;
    throw new CliError(EXIT.unreachable, `the daemon at ${api.url} ended the connection`);
  });
}

function toQuery({ rule, priority, source, grep, since, lines, follow }: TailOptions): Query {
  if (priority !== undefined && !parsePriority(priority)) {
    throw new CliError(EXIT.usage, `--priority: expected one of Falco's priorities, found '${priority}'`);
  }
  if (follow && since !== undefined && lines !== undefined) {
    throw new CliError(EXIT.usage, 'give --since or -n, not both; or --no-follow as well');
  }
  if (follow && lines !== undefined && lines > PAGE) {
    throw new CliError(EXIT.usage, `-n: at most ${PAGE}; more with --no-follow, or with --since`);
  }
  const sinceMs = since === undefined ? undefined : parseMoment(since, '--since', Date.now());
  return { rule, priority, source, q: grep, since: sinceMs };
}

/** The newest that match, oldest first. */
async function past(api: ApiClient, query: Query, wanted: number): Promise<JsonObject[]> {
  const pages: JsonObject[][] = [];
  let left = wanted;
  let before: number | undefined;
  while (left > 0) {
    const page: Page = await api.call('alerts', { query: { ...query, limit: Math.min(left, PAGE), before } });
    pages.unshift(page.items.map(({ alert }) => alert));
    left -= page.items.length;
    before = page.before;
    if (before === undefined) break;
  }
  return pages.flat();
}

function toText(alert: JsonObject, json: boolean, colours: boolean): string {
  return json ? toJsonText(alert) : toLine(decodeAlert(Buffer.from(JSON.stringify(alert))), colours);
}
