/** Every key that is not an output's own: names, defaults, descriptions. Names follow falcosidekick's spelling. */
import { z } from 'zod';
import type { OutputDefinition } from '../contract.ts';
import {
  decimal,
  duration,
  flag,
  group,
  integer,
  key,
  list,
  minimumPriority,
  oneOf,
  pairs,
  secret,
  size,
  text,
  url,
  wait,
  withoutDefault,
} from '../keys.ts';
import { jetStreamShape } from './jetstream.ts';

/** Between tries at a far side that keeps failing. */
const LEAST_WAIT_MS = 10;

/** How alerts are delivered: for all outputs at the top, for one output in its own section. */
export const deliveryShape = {
  timeout: wait('Longest time for one try.', '10s', { min: 1 }),
  concurrency: integer('Most sends in flight at once; 0: as many as the output says, 64 for most.', 0, {
    max: 10_000,
  }),
  from: oneOf('Where an output that was not there before starts in the log.', ['now', 'beginning'], 'now'),
  ordered: flag('Sends one alert at a time, in the order of their arrival.'),
  retry: group('When a try that failed is repeated.', {
    maxage: duration(
      'An alert older than this is not tried again and becomes a dead letter; 0s: each is tried once.',
      '24h',
    ),
    attempts: integer('Most tries for one alert; 0: no limit.', 0),
    // Without any, a far side that fails would get tries as fast as it answers.
    min: wait('First wait between two tries; it doubles with each, at random up to that.', '500ms', {
      min: 1,
    }),
    max: wait('Longest wait between two tries.', '60s', { min: LEAST_WAIT_MS }),
  }),
  breaker: group('When an output is left alone because it keeps failing.', {
    failures: integer('Failures in a row after which only probes are sent.', 5, { min: 1 }),
    max: wait('Longest wait between two probes.', '5s', { min: LEAST_WAIT_MS }),
  }),
  ratelimit: group('How much is sent at most.', {
    persecond: decimal('Alerts per second; 0: no limit.', 0),
    burst: integer('Alerts that may go at once after a pause; 0: as many as in one second.', 0),
    shared: flag('The limit holds for all replicas together; needs `spool.driver: jetstream`.'),
  }),
  batch: group("How alerts are put together, where the output's API takes several.", {
    items: integer('Most alerts in one send; 0: as many as the output says.', 0),
    bytes: size('Most bytes of alerts in one send; 0: as many as the output says.', '0'),
    wait: withoutDefault(
      wait('How long the first alert waits for others; left out: as long as the output says; 0s: not.', '0s'),
    ),
  }),
};

/** The keys beside the outputs. */
export const settingsShape = {
  listenaddress: text('Address to listen on; empty for all.'),
  listenport: integer('Port to listen on; 0 for any free one.', 2801, { max: 65_535 }),
  debug: flag('Logs what happens in detail; the same as `log.level: debug`.'),
  customfields: pairs(
    'Fields added to the output fields of every alert. In the environment variable, a value `%NAME` stands for the variable NAME.',
  ),
  customtags: list('Tags added to every alert.'),
  templatedfields: pairs('Fields made by a Go template over the output fields of the alert.'),
  bracketreplacer: text('Text in place of the brackets in the names of output fields; empty leaves them.'),
  outputfieldformat: text(
    "Form of the alert's text, from <timestamp>, <priority>, <output>, <custom_fields>, <templated_fields> and <tags>; empty leaves it.",
  ),
  longfields: oneOf(
    'Alerts over 4096 bytes: `keep` leaves them whole, `cut` cuts texts over 512 bytes as falcosidekick does.',
    ['keep', 'cut'],
    'keep',
  ),
  ingest: group('Limits of the HTTP input.', {
    maxbody: size('Largest body of a request.', '4MiB', { min: 1 }),
    maxpending: size('Most bytes of bodies on their way in, all connections together.', '64MiB'),
    maxconnections: integer('Most connections at once.', 4096, { min: 1 }),
    maxinflight: integer('Most requests not answered yet; more are told to come back later (503).', 4096, {
      min: 1,
    }),
    timeout: wait('Longest time for a request to arrive.', '30s'),
    keepalive: wait('How long an idle connection is kept open.', '10m'),
  }),
  auth: group('Who may send alerts: whoever knows one of those that are set; everybody when none is.', {
    token: secret('Token for `Authorization: Bearer`.'),
    username: text('User name for basic authentication.'),
    password: secret('Password for basic authentication.'),
    path: secret('First part of the URL path that lets a sender in: `http://tiercel:2801/<path>`.'),
    admintoken: secret(
      'Token for what changes something (replay, purge, test, reload); empty: only from the same host.',
    ),
  }),
  tlsserver: group('TLS of the HTTP input.', {
    deploy: flag('Serves HTTPS instead of HTTP.'),
    certfile: text('Certificate, PEM.', '/etc/certs/server/server.crt'),
    keyfile: text('Private key, PEM.', '/etc/certs/server/server.key'),
    mutualtls: flag('Clients have to show a certificate.'),
    cacertfile: text('Authority that signs the certificates of clients, PEM.', '/etc/certs/server/ca.crt'),
    notlsport: integer('Port for the paths without TLS.', 2810, { max: 65_535 }),
    notlspaths: list('Paths served without TLS on their own port, for example /healthz and /metrics.'),
  }),
  tlsclient: group('TLS of all outputs.', {
    cacertfile: text("Authorities trusted besides the system's, PEM."),
  }),
  mutualtlsfilespath: text(
    'Folder with client.crt, client.key and ca.crt for outputs with `mutualtls`.',
    '/etc/certs',
  ),
  mutualtlsclient: group('Files for outputs with `mutualtls`, where they are not in that folder.', {
    certfile: text('Client certificate, PEM.'),
    keyfile: text('Private key of the client certificate, PEM.'),
    cacertfile: text('Authority of the servers, PEM.'),
  }),
  delivery: group('How alerts are delivered; each output can have its own.', deliveryShape),
  spool: group('The log that alerts wait in until every output has them.', {
    driver: oneOf(
      '`disk` survives restarts and crashes, `memory` does not; `jetstream` keeps the log on NATS, for several replicas.',
      ['disk', 'jetstream', 'memory'],
      'disk',
    ),
    path: text(
      'Data folder; one process at a time. With `jetstream` it holds what comes while NATS is away.',
      './data',
    ),
    durability: oneOf(
      'What an answered alert survives: the end of the `process`, or a `power` cut (slower).',
      ['process', 'power'],
      'process',
    ),
    maxbytes: size('Most bytes of log on disk, history included.', '1GiB'),
    maxage: duration('Alerts not delivered for longer than this are dropped; 0: never.', '0s'),
    overflow: oneOf(
      'When the log is full: `drop-oldest` makes room, `reject` answers 503.',
      ['drop-oldest', 'reject'],
      'drop-oldest',
    ),
    memorybytes: size('Most bytes kept in memory for all outputs together.', '16MiB'),
    segmentbytes: size('Bytes in one file of the log.', '32MiB'),
    history: group('Delivered alerts kept for replay and search.', {
      bytes: size('At most this many bytes; 0: none.', '256MiB'),
      age: duration('At most this old; 0: none.', '7d'),
    }),
    keepremoved: duration(
      'How long the place of an output that was removed is kept, with what it has not sent, should it come back; 0: given up at once.',
      '24h',
    ),
    ...jetStreamShape,
  }),
  deadletters: group('Alerts that were given up, kept to be looked at and sent again.', {
    maxcount: integer('At most this many; 0: no limit.', 100_000),
    maxbytes: size('Most bytes of them on disk, not on NATS; 0: no limit.', '1GiB'),
    maxage: duration('At most this old; 0: no limit.', '30d'),
  }),
  log: group("Tiercel's own log.", {
    level: oneOf('Least severe messages shown.', ['debug', 'info', 'warn', 'error'], 'info'),
    format: oneOf(
      '`pretty` for people, `json` for machines; `auto` chooses by the terminal.',
      ['auto', 'json', 'pretty'],
      'auto',
    ),
  }),
  metrics: group('Metrics.', {
    maxseries: integer('Most series of one metric; what is more is counted together.', 10_000, { min: 1 }),
  }),
  prometheus: group('Metrics, under the name that falcosidekick has for it.', {
    extralabels: list('Output fields that become labels of the alert counter.'),
  }),
  shutdown: group('The end of the process.', {
    grace: wait('How long a stop may take; alerts not delivered by then stay for the next start.', '25s'),
  }),
};

const commonShape = {
  minimumpriority: minimumPriority(),
  match: key(
    'Alerts that this output takes: a list of matchers, one of which has to fit; empty for all.',
    z.unknown().optional(),
    { expected: 'a list of matchers' },
  ),
  delivery: group('Delivery to this output, where it differs from the global `delivery`.', deliveryShape),
};

const tlsShape = {
  checkcert: flag('False takes any certificate of the server. With `mutualtls` it is always checked.', true),
  mutualtls: flag('Shows the client certificate of `mutualtlsclient` or `mutualtlsfilespath`.'),
  maxconcurrentrequests: withoutDefault(
    integer(
      "Most sends in flight at once; 0: 256; left out: as `delivery.concurrency` says, for which this is falcosidekick's name.",
      0,
      { max: 65_535 },
    ),
  ),
  tls: group('TLS of this output.', {
    ca: text("File with authorities trusted besides the system's, PEM."),
    cert: text('File with the client certificate, PEM.'),
    key: text('File with the private key of the client certificate, PEM.'),
    servername: text("Name expected in the server's certificate, where it differs from the host in the URL."),
    insecure: flag('Takes any certificate.'),
  }),
};

/** Go templates in place of what the output makes of an alert. */
const templateShape = {
  body: text(
    'The whole body of the request, or the alert in it, as the page of the output says. What has to be JSON and is not is left out: the usual body goes.',
  ),
  text: text("Stands in for the alert's text (`output`)."),
  title: text("Stands in for the alert's rule."),
};

const httpShape = {
  customheaders: pairs('Headers added to each request, over those of the output.', { secret: true }),
  proxy: url('HTTP proxy; empty: the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY decide.'),
  template: group('Go templates over the alert for what is sent; empty ones change nothing.', templateShape),
};

/** The keys that core adds to an output, by what the definition asks for. */
export function commonKeys(definition: OutputDefinition): z.ZodRawShape {
  return {
    ...commonShape,
    ...((definition.http || definition.tls) && tlsShape),
    ...(definition.http && httpShape),
  };
}

/** The keys of the output itself. */
export function ownKeys(definition: OutputDefinition): z.ZodRawShape {
  return definition.keys.shape;
}

/** The key that names one of several instances: `instance` for outputs that have a `name` of their own. */
export function nameKey(definition: OutputDefinition): 'name' | 'instance' {
  return Object.hasOwn(ownKeys(definition), 'name') ? 'instance' : 'name';
}
