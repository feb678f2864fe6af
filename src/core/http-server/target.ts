/** Where a request goes: the path of its target, and which part of the daemon serves that. All pure. */
import { percentDecoded } from '../url-parts.ts';

/** What serves a path; `/` is the ingest, which takes every path that nothing else has. */
export type Place = '/' | '/ping' | '/healthz' | '/readyz' | '/test' | '/metrics' | '/api';

const PLACES = new Set<string>(['/ping', '/healthz', '/readyz', '/test', '/metrics']);

/** The calls of the API that are a POST, as its routes take them; any other POST is one of alerts, as in falcosidekick. */
const API_POSTS = /^\/api\/v1\/(?:dead-letters\/replay|replay|test|reload)\/?$/i;

/** The target of a request cut in two: `/a/b` and `?c=d` (or nothing). */
export interface Target {
  path: string;
  query: string;
}

/** Reads a request line's target; also the absolute form that proxies send, `http://host/path`. */
export function splitTarget(url: string): Target {
  if (!url.startsWith('/')) {
    const parsed = URL.parse(url);
    return parsed ? { path: parsed.pathname, query: parsed.search } : { path: '/', query: '' };
  }
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark) };
}

/** What serves this path, by default for a GET. */
export function placeOf(path: string, method = 'GET'): Place {
  if (path === '/api' || path.startsWith('/api/')) {
    return method !== 'POST' || API_POSTS.test(path) ? '/api' : '/';
  }
  return PLACES.has(path) ? (path as Place) : '/';
}

/** The first segment of a path, decoded where it can be, and the rest: `/a/b` → `a` and `/b`. */
export function firstSegment(path: string): { segment: string; rest: string } {
  const slash = path.indexOf('/', 1);
  const raw = slash < 0 ? path.slice(1) : path.slice(1, slash);
  const rest = slash < 0 ? '/' : path.slice(slash);
  return { segment: percentDecoded(raw), rest };
}
