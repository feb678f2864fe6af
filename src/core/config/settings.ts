/** From the global keys to the parts of the configuration, with what has to hold between keys. */
import { placeOf } from '../http-server/target.ts';
import { isPem } from '../pem.ts';
import { type ClientTlsKeys, checkWaits, type DeliveryKeys } from './connection.ts';
import { type JetStreamKeys, toJetStream } from './jetstream.ts';
import type { Problems } from './problems.ts';
import type { Sources } from './sources.ts';
import { find, isUnset, locate, type Section } from './tree.ts';
import type { Config, ServerTlsConfig, SpoolConfig } from './types.ts';

/** The global keys as they were read: durations in milliseconds, sizes in bytes. See schema.ts. */
export interface Settings extends ClientTlsKeys {
  listenaddress: string;
  listenport: number;
  debug: boolean;
  customfields: Record<string, string>;
  customtags: string[];
  templatedfields: Record<string, string>;
  bracketreplacer: string;
  outputfieldformat: string;
  longfields: 'keep' | 'cut';
  ingest: {
    maxbody: number;
    maxpending: number;
    maxconnections: number;
    maxinflight: number;
    timeout: number;
    keepalive: number;
  };
  auth: { token: string; username: string; password: string; path: string; admintoken: string };
  tlsserver: {
    deploy: boolean;
    certfile: string;
    keyfile: string;
    mutualtls: boolean;
    cacertfile: string;
    notlsport: number;
    notlspaths: string[];
  };
  spool: {
    driver: SpoolConfig['driver'];
    path: string;
    durability: SpoolConfig['durability'];
    maxbytes: number;
    maxage: number;
    overflow: SpoolConfig['overflow'];
    memorybytes: number;
    segmentbytes: number;
    history: { bytes: number; age: number };
    keepremoved: number;
  } & JetStreamKeys;
  delivery: DeliveryKeys;
  deadletters: { maxcount: number; maxbytes: number; maxage: number };
  log: Config['log'];
  metrics: { maxseries: number };
  prometheus: { extralabels: string[] };
  shutdown: { grace: number };
}

type Parts = Pick<Config, 'server' | 'spool' | 'enrich' | 'metrics' | 'log' | 'shutdownGraceMs'>;

export function toSettings(settings: Settings, root: Section, sources: Sources, problems: Problems): Parts {
  const { ingest, auth, log } = settings;
  const tls = toServerTls(settings.tlsserver, root, sources, problems);
  checkWaits(settings.delivery.retry, ['delivery'], root, problems);
  checkAuth(auth, root, problems);
  return {
    server: {
      address: settings.listenaddress,
      port: settings.listenport,
      maxBodyBytes: ingest.maxbody,
      maxPendingBytes: Math.max(ingest.maxpending, ingest.maxbody),
      maxConnections: ingest.maxconnections,
      maxInFlight: ingest.maxinflight,
      requestTimeoutMs: ingest.timeout,
      keepAliveMs: ingest.keepalive,
      ...(tls && { tls }),
      auth: {
        token: auth.token,
        username: auth.username,
        password: auth.password,
        path: auth.path.replace(/^\/+|\/+$/g, ''),
        adminToken: auth.admintoken,
      },
    },
    spool: toSpool(settings, root, sources, problems),
    enrich: {
      customFields: settings.customfields,
      customTags: settings.customtags,
      templatedFields: settings.templatedfields,
      bracketReplacer: settings.bracketreplacer,
      outputFieldFormat: settings.outputfieldformat,
      longFields: settings.longfields,
    },
    metrics: { extraLabels: settings.prometheus.extralabels, maxSeries: settings.metrics.maxseries },
    log: { level: settings.debug ? 'debug' : log.level, format: log.format },
    shutdownGraceMs: settings.shutdown.grace,
  };
}

function checkAuth(auth: Settings['auth'], root: Section, problems: Problems): void {
  const refuse = (key: string, message: string) =>
    problems.error(['auth', key], message, locate(root, `auth.${key}`));
  if ((auth.username === '') !== (auth.password === '') && !problems.isRefused(['auth'])) {
    problems.error(['auth'], 'username and password only work together', locate(root, 'auth'));
  }
  for (const key of ['token', 'admintoken'] as const) {
    if (!/^[\x21-\x7e]*$/.test(auth[key])) {
      refuse(key, 'expected printable ASCII without spaces: nothing else gets through a header');
    }
  }
  const segment = auth.path.replace(/^\/+|\/+$/g, '');
  if (!/^[A-Za-z0-9._~-]*$/.test(segment)) {
    refuse('path', 'expected one part of a path, of letters, digits and . _ ~ - only');
  } else if (placeOf(`/${segment}`) !== '/') {
    refuse('path', 'expected something else than the name of a page of the daemon');
  }
}

// The paths that can be served without TLS, as in falcosidekick.
const PLAIN_PATHS = new Set(['/', '/ping', '/healthz', '/readyz', '/test', '/metrics']);

function toServerTls(
  keys: Settings['tlsserver'],
  root: Section,
  sources: Sources,
  problems: Problems,
): ServerTlsConfig | undefined {
  if (!keys.deploy) {
    if (keys.mutualtls) {
      problems.warning(
        ['tlsserver', 'mutualtls'],
        'has no effect without deploy',
        locate(root, 'tlsserver.mutualtls'),
      );
    }
    return undefined;
  }
  const files = {
    certfile: keys.certfile,
    keyfile: keys.keyfile,
    ...(keys.mutualtls && { cacertfile: keys.cacertfile }),
  };
  for (const [key, file] of Object.entries(files)) {
    const at = locate(root, `tlsserver.${key}`);
    const text = sources.read(file, ['tlsserver', key], at, problems);
    if (text !== undefined && !isPem(text)) {
      problems.error(['tlsserver', key], `${file} is not in PEM format`, at);
    }
  }
  const unknown = keys.notlspaths.filter(path => !PLAIN_PATHS.has(path));
  if (unknown.length > 0) {
    problems.warning(
      ['tlsserver', 'notlspaths'],
      `not among the paths that there are (${[...PLAIN_PATHS].join(' ')}): ${unknown.map(path => JSON.stringify(path)).join(', ')}`,
      locate(root, 'tlsserver.notlspaths'),
    );
  }
  return {
    certFile: keys.certfile,
    keyFile: keys.keyfile,
    ...(keys.mutualtls && { clientCaFile: keys.cacertfile }),
    plainPort: keys.notlsport,
    plainPaths: keys.notlspaths.filter(path => PLAIN_PATHS.has(path)),
  };
}

/** Smaller files than this would be made faster than they can be kept track of. */
const MIN_SEGMENT = 64 << 10;

function toSpool(
  { spool, deadletters, tlsclient }: Settings,
  root: Section,
  sources: Sources,
  problems: Problems,
): SpoolConfig {
  const at = (key: string) => locate(root, `spool.${key}`);
  const given = (...path: string[]) => !isUnset(find(root, ['spool', ...path]));
  // A small log is still made of several files, so that it can be trimmed in pieces.
  const segmentBytes = given('segmentbytes')
    ? spool.segmentbytes
    : Math.min(spool.segmentbytes, Math.max(MIN_SEGMENT, Math.floor(spool.maxbytes / 8)));
  if (segmentBytes < MIN_SEGMENT) {
    problems.error(['spool', 'segmentbytes'], 'expected at least 64KiB', at('segmentbytes'));
  } else if (spool.maxbytes < segmentBytes) {
    problems.error(
      ['spool', 'maxbytes'],
      'the log cannot be smaller than one of its files (segmentbytes)',
      at('maxbytes'),
    );
  }
  if (given('history', 'bytes') && spool.history.bytes > spool.maxbytes) {
    problems.warning(
      ['spool', 'history', 'bytes'],
      'larger than the whole log (maxbytes)',
      at('history.bytes'),
    );
  }
  return {
    driver: spool.driver,
    path: spool.path,
    durability: spool.durability,
    maxBytes: spool.maxbytes,
    maxAgeMs: spool.maxage,
    historyBytes: spool.history.bytes,
    historyAgeMs: spool.history.age,
    overflow: spool.overflow,
    memoryBytes: spool.memorybytes,
    segmentBytes,
    removedMs: spool.keepremoved,
    deadLetters: {
      maxCount: deadletters.maxcount,
      maxBytes: deadletters.maxbytes,
      maxAgeMs: deadletters.maxage,
    },
    ...(spool.driver === 'jetstream' && {
      jetstream: toJetStream(spool, tlsclient.cacertfile, { root, sources, problems }),
    }),
  };
}
