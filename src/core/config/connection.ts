/** How an output connects and delivers, from its common keys and the global ones. */
import { join } from 'node:path';
import type { BatchLimits, OutputDefinition } from '../contract.ts';
import { headerProblem, isConnectionHeader } from '../http/request-headers.ts';
import type { TemplateConfig } from '../output-template.ts';
import { isPem } from '../pem.ts';
import type { Problems } from './problems.ts';
import { readKeys } from './reader.ts';
import { deliveryShape } from './schema.ts';
import type { Sources } from './sources.ts';
import { emptySection, find, isUnset, locate, type Path, type Section } from './tree.ts';
import type { ConnectionConfig, DeliveryConfig } from './types.ts';

/** Sends in flight where nobody says otherwise, and where falcosidekick has no limit. */
const CONCURRENCY = 64;
const UNLIMITED = 256;

interface TlsKeys {
  ca: string;
  cert: string;
  key: string;
  servername: string;
  insecure: boolean;
}

/** The common keys of an output as they were read; those that its definition does not ask for are undefined. */
export interface CommonKeys {
  checkcert?: boolean;
  mutualtls?: boolean;
  maxconcurrentrequests?: number;
  tls?: TlsKeys;
  customheaders?: Record<string, string>;
  proxy?: string;
  template?: TemplateConfig;
}

/** falcosidekick's names for the files in `tls`, for the outputs that have them as keys of their own. */
export interface OwnTlsKeys {
  cacertfile?: string;
  certfile?: string;
  keyfile?: string;
}

/** The global keys about TLS of outputs. */
export interface ClientTlsKeys {
  tlsclient: { cacertfile: string };
  mutualtlsfilespath: string;
  mutualtlsclient: { certfile: string; keyfile: string; cacertfile: string };
}

interface ConnectionPlace {
  section: Section;
  path: Path;
  sources: Sources;
  problems: Problems;
  /** The output's own keys. */
  own: { values: OwnTlsKeys; section: Section };
  /** Headers that the output sets whatever `customheaders` say. */
  ownHeaders: readonly string[];
}

/** Where the files are; they are read once to know that they can be. */
export function toConnection(
  common: CommonKeys,
  globals: ClientTlsKeys,
  place: ConnectionPlace,
): ConnectionConfig {
  const { section, path, sources, problems, own } = place;
  const given = common.tls ?? { ca: '', cert: '', key: '', servername: '', insecure: false };
  const { cacertfile = '', certfile = '', keyfile = '' } = own.values;
  const tls = {
    ...given,
    ca: given.ca || cacertfile,
    cert: given.cert || certfile,
    key: given.key || keyfile,
  };
  const mutual = common.mutualtls === true;
  const { mutualtlsclient, mutualtlsfilespath } = globals;
  const fallback = (file: string, name: string) => file || join(mutualtlsfilespath, name);

  const certFile = tls.cert || (mutual ? fallback(mutualtlsclient.certfile, 'client.crt') : '');
  const keyFile = tls.key || (mutual ? fallback(mutualtlsclient.keyfile, 'client.key') : '');
  const caFiles = [tls.ca, globals.tlsclient.cacertfile].filter(Boolean);
  if (mutual) {
    const folderCa = join(mutualtlsfilespath, 'ca.crt');
    if (mutualtlsclient.cacertfile) caFiles.push(mutualtlsclient.cacertfile);
    else if (sources.readIfThere(folderCa) !== undefined) caFiles.push(folderCa);
  }

  if ((certFile === '') !== (keyFile === '')) {
    const [has, lacks] = certFile ? ['cert', 'key'] : ['key', 'cert'];
    problems.error(
      [...path, 'tls', lacks],
      `a client certificate needs both files; only ${has} is set`,
      locate(section, 'tls'),
    );
  }
  for (const file of [...caFiles, certFile, keyFile]) {
    if (file === '') continue;
    const ownKey = (['cacertfile', 'certfile', 'keyfile'] as const).find(key => file === own.values[key]);
    const key =
      file === tls.ca || file === tls.cert || file === tls.key ? 'tls' : mutual ? 'mutualtls' : 'tlsclient';
    const at = ownKey ? locate(own.section, ownKey) : locate(section, key);
    const text = sources.read(file, [...path, ownKey ?? key], at, problems);
    if (text !== undefined && !isPem(text)) {
      // No error: it may be right by the time that a connection is made.
      problems.warning(
        [...path, ownKey ?? key],
        `${file} is not in PEM format; nothing is sent before it is`,
        at,
      );
    }
  }
  return {
    // falcosidekick always checks the server where it shows a certificate of its own.
    verify: !tls.insecure && (mutual || common.checkcert !== false),
    caFiles: [...new Set(caFiles)],
    certFile,
    keyFile,
    serverName: tls.servername,
    proxy: common.proxy ?? '',
    headers: usableHeaders(common.customheaders ?? {}, place),
  };
}

/** `customheaders` without those that would not be sent, each of which is told; what no request could hold is an error. */
function usableHeaders(
  headers: Record<string, string>,
  {
    section,
    path,
    problems,
    ownHeaders,
  }: Pick<ConnectionPlace, 'section' | 'path' | 'problems' | 'ownHeaders'>,
): Record<string, string> {
  const useless = (name: string) => {
    if (isConnectionHeader(name))
      return 'never sent: this header follows from the address and the connection';
    return ownHeaders.includes(name.trim().toLowerCase())
      ? 'no effect: the output sets this header itself'
      : '';
  };
  const usable = Object.entries(headers).filter(([name, value]) => {
    const message = useless(name);
    const wrong = message === '' ? headerProblem(name, value) : undefined;
    const at = locate(section, `customheaders.${name}`);
    if (message !== '') problems.warning([...path, 'customheaders', name], message, at);
    if (wrong) problems.error([...path, 'customheaders', name], wrong, at);
    return message === '' && !wrong;
  });
  return Object.fromEntries(usable);
}

/** The keys of `delivery` as they were read. */
export interface DeliveryKeys {
  timeout: number;
  concurrency: number;
  from: DeliveryConfig['from'];
  ordered: boolean;
  retry: { maxage: number; attempts: number; min: number; max: number };
  breaker: { failures: number; max: number };
  ratelimit: { persecond: number; burst: number; shared: boolean };
  batch: { items: number; bytes: number; wait?: number };
}

/** The output's own `delivery` over the global one over what the definition says. */
export function toDelivery(
  definition: OutputDefinition,
  common: CommonKeys,
  place: {
    section: Section;
    global: Section;
    path: Path;
    problems: Problems;
    /** What the output takes at once with its settings; `unknown` where those are bad. */
    batch: BatchLimits | 'unknown' | undefined;
    /** A `template.body` is that of one alert. */
    alone: boolean;
  },
): { delivery: DeliveryConfig; masked: Record<string, unknown> } {
  const { section, global, path, problems } = place;
  const own = find(section, ['delivery']);
  const merged = layered(own?.kind === 'map' ? own : emptySection(), global);
  // What is wrong in either was already told when it was read by itself.
  const quiet = { problems: { error() {}, doubt() {} } as unknown as Problems, secrets: new Set<string>() };
  const { values, masked } = readKeys(deliveryShape, merged, path, quiet);
  const keys = values as unknown as DeliveryKeys;

  if (own) checkWaits(keys.retry, [...path, 'delivery'], section, problems);
  const limits = place.alone || place.batch === 'unknown' ? undefined : place.batch;
  const batch = limits && toBatch(limits, keys);
  if (!limits && own && place.batch !== 'unknown' && !isUnset(find(section, ['delivery', 'batch']))) {
    const cause = place.batch ? 'with `template.body`' : definition.batchBy && 'with these settings';
    problems.warning(
      [...path, 'delivery', 'batch'],
      cause ? `${cause} each alert goes alone` : 'this output takes one alert at a time',
      locate(section, 'delivery.batch'),
    );
  }
  const delivery = {
    timeoutMs: keys.timeout,
    from: keys.from,
    concurrency: keys.ordered ? 1 : toConcurrency(definition, common, keys, section),
    retry: {
      maxAgeMs: keys.retry.maxage,
      attempts: keys.retry.attempts,
      minMs: keys.retry.min,
      maxMs: keys.retry.max,
    },
    breaker: { failures: keys.breaker.failures, maxMs: keys.breaker.max },
    rateLimit: {
      perSecond: keys.ratelimit.persecond,
      burst: keys.ratelimit.burst || Math.max(1, Math.ceil(keys.ratelimit.persecond)),
      shared: keys.ratelimit.shared,
    },
    ...(batch && { batch }),
  };
  return { delivery, masked };
}

/** The first wait between tries cannot be longer than the longest. */
export function checkWaits(
  { min, max }: DeliveryKeys['retry'],
  path: Path,
  section: Section,
  problems: Problems,
): void {
  if (min <= max) return;
  const message = 'the first wait (min) is longer than the longest (max)';
  problems.error([...path, 'retry'], message, locate(section, 'delivery.retry'));
}

/** The nearer setting wins: the output's own `delivery`, its `maxconcurrentrequests`, the global one, the output. */
function toConcurrency(
  definition: OutputDefinition,
  common: CommonKeys,
  keys: DeliveryKeys,
  section: Section,
): number {
  const own = !isUnset(find(section, ['delivery', 'concurrency']));
  if (!own && common.maxconcurrentrequests !== undefined) return common.maxconcurrentrequests || UNLIMITED;
  return keys.concurrency || definition.concurrency || CONCURRENCY;
}

/** The definition's limits are those of the API: settings can only lower them. */
function toBatch(limits: BatchLimits, keys: DeliveryKeys) {
  const { items, bytes, wait } = keys.batch;
  return {
    items: Math.min(items || limits.items, limits.items),
    bytes: Math.min(bytes || limits.bytes, limits.bytes),
    waitMs: wait ?? limits.waitMs,
  };
}

/** `upper` where it says something, else `lower`. */
function layered(upper: Section, lower: Section): Section {
  const entries = new Map(lower.entries);
  for (const [key, entry] of upper.entries) {
    const below = lower.entries.get(key)?.tree;
    const tree = entry.tree.kind === 'map' && below?.kind === 'map' ? layered(entry.tree, below) : entry.tree;
    if (!isUnset(tree)) entries.set(key, { ...entry, tree });
  }
  return { ...upper, entries };
}
