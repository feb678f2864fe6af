import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority } from './certificates.ts';
import { findProgram, freePorts, listens, restartable, scratch } from './process.ts';

/** Why there is no rsyslog; undefined when there is one. */
export function missingRsyslog(): string | undefined {
  return findProgram('rsyslogd') ? undefined : 'rsyslogd is not installed';
}

/** A message as rsyslog understood it: https://www.rsyslog.com/doc/configuration/properties.html, `jsonmesg`. */
export interface SyslogMessage {
  msg: string;
  rawmsg: string;
  timereported: string;
  hostname: string;
  syslogtag: string;
  programname: string;
  pri: string;
  syslogfacility: string;
  syslogseverity: string;
}

export interface Rsyslog {
  udpPort: number;
  tcpPort: number;
  /** TLS; with `clients` only for those with a certificate of the authority. */
  tlsPort: number;
  received(): Promise<SyslogMessage[]>;
  /** Ends the server; what it received stays. */
  stop(): Promise<void>;
  /** Starts it again on the same ports. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Starts rsyslog with UDP, TCP and, given an authority, TLS. */
export async function startRsyslog(
  options: { authority?: Authority; clients?: boolean } = {},
): Promise<Rsyslog> {
  const folder = await scratch('rsyslog');
  const [udpPort, tcpPort, tlsPort] = (await freePorts(3)) as [number, number, number];
  const at = (name: string) => join(folder.path, name);
  const { authority, clients } = options;
  const tls = authority && [
    `input(type="imtcp" address="127.0.0.1" port="${tlsPort}" streamDriver.name="gtls" streamDriver.mode="1"`,
    `  streamDriver.authMode="${clients ? 'x509/certvalid' : 'anon'}" streamDriver.caFile="${authority.caFile}"`,
    `  streamDriver.certFile="${authority.server.certFile}" streamDriver.keyFile="${authority.server.keyFile}")`,
  ];
  const settings = [
    `global(workDirectory="${folder.path}" maxMessageSize="128k")`,
    'module(load="imudp")',
    'module(load="imtcp")',
    // Room for all alerts of a trial: what finds none is dropped, and nobody is told.
    `input(type="imudp" address="127.0.0.1" port="${udpPort}" rcvbufSize="16m")`,
    `input(type="imtcp" address="127.0.0.1" port="${tcpPort}")`,
    ...(tls ?? []),
    'template(name="whole" type="list") { property(name="jsonmesg") constant(value="\\n") }',
    `action(type="omfile" file="${at('received')}" template="whole")`,
    '',
  ];
  await writeFile(at('rsyslog.conf'), settings.join('\n'));
  await writeFile(at('received'), '');
  const server = await restartable(
    {
      command: findProgram('rsyslogd')!,
      args: ['-n', '-f', at('rsyslog.conf'), '-i', at('pid')],
      ready: () => listens(tcpPort),
      withinMs: 15_000,
    },
    folder,
  );
  return {
    ...server,
    udpPort,
    tcpPort,
    tlsPort,
    received: async () => {
      const lines = (await readFile(at('received'), 'utf8')).split('\n');
      // What stands behind the last newline is still being written.
      return lines.slice(0, -1).map(line => JSON.parse(line) as SyslogMessage);
    },
  };
}
