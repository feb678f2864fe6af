/** A mail server in this process (smtp-server), and one that knows the rarer sign-ins (aiosmtpd). */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { findProgram, freePort, launch, listens, scratch } from './process.ts';

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Whether it came over TLS. */
  secure: boolean;
  user: unknown;
  /** Which connection it came over. */
  connection: string;
  raw: string;
}

export interface MailServer {
  port: number;
  mails: ReceivedMail[];
  /** Connections at the moment. */
  connections(): number;
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** Starts smtp-server; without `authMethods` nobody has to sign in. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const keep = async (stream: NodeJS.ReadableStream, { envelope, ...session }: SMTPServerSession) => {
    mails.push({
      from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
      to: envelope.rcptTo.map(({ address }) => address),
      secure: session.secure,
      user: session.user,
      connection: session.id,
      raw: await text(stream),
    });
  };
  let server: SMTPServer;
  const started: MailServer = {
    port: 0,
    mails,
    connections: () => server.connections.size,
    stop: () => new Promise(resolve => server.close(resolve)),
    start: async () => {
      server = new SMTPServer({
        authOptional: !options.authMethods,
        ...(!options.key && { disabledCommands: ['STARTTLS'] }),
        allowInsecureAuth: true,
        closeTimeout: 100,
        disableReverseLookup: true,
        onData: (stream, session, done) => void keep(stream, session).then(() => done(), done),
        ...options,
      });
      // Clients that break off a handshake are part of the tests.
      server.on('error', () => undefined);
      const listening = server.listen(started.port, '127.0.0.1');
      await once(listening, 'listening');
      started.port = (listening.address() as AddressInfo).port;
    },
  };
  await started.start();
  return started;
}

/** Why there is no aiosmtpd; undefined when there is one. */
export function missingAiosmtpd(): string | undefined {
  return findProgram('aiosmtpd') ? undefined : 'aiosmtpd is not installed';
}

export interface SaslServer {
  port: number;
  /** What clients said to sign in, `MECHANISM answer`, and the recipients of mails, `to address`. */
  seen(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts aiosmtpd with OAUTHBEARER (the token is `good`), EXTERNAL and ANONYMOUS; nobody sends without a sign-in. */
export async function startSaslServer(): Promise<SaslServer> {
  const folder = await scratch('mail');
  const port = await freePort();
  const file = join(folder.path, 'seen');
  const running = await launch({
    // The one that Debian's packages are for.
    command: '/usr/bin/python3',
    args: [fileURLToPath(new URL('sasl-mail.py', import.meta.url)), String(port), file],
    ready: () => listens(port),
    withinMs: 15_000,
  });
  return {
    port,
    seen: async () => (await readFile(file, 'utf8')).split('\n').filter(Boolean),
    stop: async () => {
      await running.stop();
      await folder.remove();
    },
  };
}
