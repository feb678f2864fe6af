/** The keys of the spool's driver jetstream: where the server is, and what is kept there. */
import { addresses, flag, group, integer, secret, size, text } from '../keys.ts';
import { parseServers } from '../nats/servers.ts';
import type { Problems } from './problems.ts';
import type { Sources } from './sources.ts';
import { locate, type Section } from './tree.ts';
import type { JetStreamConfig } from './types.ts';

/** Part of the section `spool`. */
export const jetStreamShape = {
  servers: addresses(
    'With `jetstream`: servers as nats://host:port, one or a comma list; tls:// or natss:// insists on TLS.',
  ),
  stream: text(
    'With `jetstream`: name of the stream, the same for all replicas. Dead letters and shared limits have names that begin with it.',
    'tiercel',
  ),
  replicas: integer('With `jetstream`: copies that a NATS cluster keeps of each alert: 1, 3 or 5.', 1, {
    min: 1,
    max: 5,
  }),
  username: text('With `jetstream`: user name.'),
  password: secret('With `jetstream`: password.'),
  token: secret('With `jetstream`: authentication token.'),
  nkey: secret('With `jetstream`: seed of an NKey, SU...'),
  credentials: secret('With `jetstream`: credentials (.creds), the text itself or the path of the file.'),
  tls: group('With `jetstream`: TLS of the connection.', {
    ca: text("File with authorities trusted besides the system's, PEM."),
    cert: text('File with the client certificate, PEM.'),
    key: text('File with the private key of the client certificate, PEM.'),
    servername: text("Name expected in the server's certificate, where it differs from the host."),
    insecure: flag('Takes any certificate.'),
  }),
  bufferbytes: size(
    'With `jetstream`: most bytes on the local disk for alerts that come while NATS is away.',
    '256MiB',
  ),
};

/** The keys as they were read. */
export interface JetStreamKeys {
  servers: string[];
  stream: string;
  replicas: number;
  username: string;
  password: string;
  token: string;
  nkey: string;
  credentials: string;
  tls: { ca: string; cert: string; key: string; servername: string; insecure: boolean };
  bufferbytes: number;
}

/** What may stand in the name of a stream, and in those that begin with it. */
const STREAM_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const LOGINS = ['credentials', 'nkey', 'token', 'username'] as const;
/** Less than this holds a few alerts only. */
const MIN_BUFFER = 1 << 20;

/** Checks what belongs together, and reads the certificate files once to know that they are there. */
export function toJetStream(
  keys: JetStreamKeys,
  globalCa: string,
  { root, sources, problems }: { root: Section; sources: Sources; problems: Problems },
): JetStreamConfig {
  const refuse = (key: string, message: string) =>
    problems.error(['spool', ...key.split('.')], message, locate(root, `spool.${key}`));
  if (keys.servers.length === 0) refuse('servers', 'the driver jetstream needs the address of a NATS server');
  try {
    parseServers(keys.servers);
  } catch (error) {
    refuse('servers', (error as Error).message);
  }
  if (!STREAM_NAME.test(keys.stream)) refuse('stream', 'expected letters, digits, - and _ only');
  const logins = LOGINS.filter(login => keys[login] !== '');
  if (logins.length > 1) refuse(logins[1]!, `expected one way to sign in, found ${logins.join(' and ')}`);
  if (keys.bufferbytes < MIN_BUFFER) refuse('bufferbytes', 'expected at least 1MiB');
  const { ca, cert, key, servername, insecure } = keys.tls;
  if ((cert === '') !== (key === '')) {
    const [has, lacks] = cert ? ['cert', 'key'] : ['key', 'cert'];
    refuse(`tls.${lacks}`, `a client certificate needs both files; only ${has} is set`);
  }
  const caFiles = [ca, globalCa].filter(Boolean);
  for (const file of [...caFiles, cert, key].filter(Boolean)) {
    sources.read(file, ['spool', 'tls'], locate(root, 'spool.tls'), problems);
  }
  return {
    servers: keys.servers,
    stream: keys.stream,
    replicas: keys.replicas,
    login: {
      credentials: keys.credentials,
      nkey: keys.nkey,
      token: keys.token,
      username: keys.username,
      password: keys.password,
    },
    tls: { verify: !insecure, caFiles, certFile: cert, keyFile: key, serverName: servername },
    bufferBytes: keys.bufferbytes,
  };
}
