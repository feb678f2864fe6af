/** Headers of a request: the output's, the configured ones over them, and what a sender adds. All pure. */
import type { Target } from './origin.ts';

/** falcosidekick's name: receivers may tell their senders apart by it. */
const USER_AGENT = 'Falcosidekick';
/** Headers that may go along to another origin: none that could hold a credential. */
const PORTABLE = /^(accept|content-type|content-encoding|user-agent|ce-.*)$/;
/** Headers that say how a message travels and where to: a sender's own business. Go leaves out the same ones. */
const CONNECTION = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/**
 * `customheaders` as they are sent, in lower case.
 * @throws Error when one of them cannot be sent
 */
export function customHeaders(headers: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const custom = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    const key = name.trim().toLowerCase();
    if (CONNECTION.has(key)) continue;
    const problem = headerProblem(name, value);
    if (problem) throw new Error(`customheaders: "${name}": ${problem}`);
    custom.set(key, value);
  }
  return custom;
}

/** Why a header cannot be sent; undefined when it can. */
export function headerProblem(name: string, value: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name.trim())) return 'not a header name';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) return 'the value holds a control character';
  return undefined;
}

/** Whether a header is never taken from `customheaders`. */
export function isConnectionHeader(name: string): boolean {
  return CONNECTION.has(name.trim().toLowerCase());
}

/** Names and values in turns. */
export function wireHeaders(
  target: Target,
  own: Readonly<Record<string, string>>,
  custom: ReadonlyMap<string, string>,
): string[] {
  const headers: string[] = [];
  let agent = false;
  let authorization = false;
  for (const name in own) {
    if (custom.has(name)) continue;
    agent ||= name === 'user-agent';
    authorization ||= name === 'authorization';
    headers.push(name, own[name]!);
  }
  for (const [name, value] of custom) headers.push(name, value);
  if (!agent && !custom.has('user-agent')) headers.push('user-agent', USER_AGENT);
  if (target.authorization !== undefined && !authorization && !custom.has('authorization')) {
    headers.push('authorization', target.authorization);
  }
  return headers;
}

/** Whether a header may go along to another origin. */
export function isPortable(name: string): boolean {
  return PORTABLE.test(name);
}

/** Whether one of the names among `headers`, names and values in turns, is this one. */
export function hasHeader(headers: readonly string[], name: string): boolean {
  for (let index = 0; index < headers.length; index += 2) if (headers[index] === name) return true;
  return false;
}
