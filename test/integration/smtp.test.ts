import type { SMTPServerOptions } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output } from '../../src/core/contract.ts';
import smtp from '../../src/outputs/smtp/index.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { failureOf, hostOf, type Logged, openOutput, trySend } from '../support/services/drive.ts';
import {
  type MailServer,
  missingAiosmtpd,
  startMailServer,
  startSaslServer,
} from '../support/services/mail.ts';
import { describeWith } from '../support/services/need.ts';
import { findProgram, freePort, scratch } from '../support/services/process.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(options?: SMTPServerOptions): Promise<MailServer> {
  const started = await startMailServer(options);
  cleanup.push(() => started.stop());
  return started;
}

async function output(port: number, config: Record<string, unknown> = {}, host = hostOf()): Promise<Output> {
  const opened = await openOutput(
    smtp,
    {
      hostport: `127.0.0.1:${port}`,
      tls: false,
      from: 'falco@example.test',
      to: 'ops@example.test',
      ...config,
    },
    host,
  );
  cleanup.push(() => opened.close!());
  return opened;
}

/** A reply of the server, as its handlers give it. */
function reply(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** Refuses some recipients, as long as they are listed. */
function refusing(refused: Map<string, Error>): SMTPServerOptions {
  return { onRcptTo: ({ address }, _session, done) => done(refused.get(address)) };
}

const USERS: SMTPServerOptions = {
  authMethods: ['PLAIN', 'LOGIN'],
  onAuth: ({ username, password, authzid, method }, _session, done) =>
    username === 'ada' && password === 'p@ss wörd'
      ? done(null, { user: `${method} ${authzid || username}` })
      : done(reply(535, `no such user or password: ${password}`)),
};

describe('smtp', () => {
  test('a mail as a receiver sees it', async () => {
    const mailbox = await server();
    const alert = falcoAlert({ output: 'Ünïcode ✓\r\nBcc: evil@example.test\r\n.\r\nQUIT', rule: '.' });
    const sender = await output(mailbox.port, {
      from: 'Falcö <falco@example.test>',
      to: 'ops@example.test, "Doe, Jane" <jane@example.test>',
      outputformat: 'text',
    });
    await trySend(sender, [alert]);
    const [mail] = mailbox.mails;
    expect(mail).toMatchObject({
      from: 'falco@example.test',
      to: ['ops@example.test', 'jane@example.test'],
      secure: false,
    });
    const [head, body] = mail!.raw.split('\r\n\r\n', 2);
    const headers = head!.replace(/\r\n\s+/g, ' ').split('\r\n');
    expect(headers.map(line => line.split(':')[0]).sort()).toEqual([
      'Auto-Submitted',
      'Content-Transfer-Encoding',
      'Content-Type',
      'Date',
      'From',
      'MIME-Version',
      'Message-ID',
      'Subject',
      'To',
    ]);
    expect(headers).toContain(`Message-ID: <${alert.uuid}@example.test>`);
    expect(headers).toContain('Date: Wed, 04 Mar 2026 10:15:02 +0000');
    expect(headers).toContain('To: ops@example.test, "Doe, Jane" <jane@example.test>');
    expect(head).toMatch(/^[\x20-\x7e\r\n]*$/);
    expect(body).toContain('Priority: Warning\r\nOutput: =C3=9Cn=C3=AFcode =E2=9C=93\r\nBcc: evil');
    expect(body).toContain('Rule: .\r\n');
  });

  test('the same alert has the same Message-ID at each try', async () => {
    const mailbox = await server();
    const sender = await output(mailbox.port);
    const alert = falcoAlert();
    await trySend(sender, [alert]);
    await trySend(sender, [alert]);
    const ids = mailbox.mails.map(({ raw }) => /^Message-ID: (.*)\r$/m.exec(raw)![1]);
    expect(ids).toEqual([ids[0], ids[0]]);
  });

  test('text and HTML are two parts of one mail', async () => {
    const mailbox = await server();
    await trySend(await output(mailbox.port), [falcoAlert()]);
    const { raw } = mailbox.mails[0]!;
    expect(raw).toContain('Content-Type: multipart/alternative;');
    const kinds = [...raw.matchAll(/^Content-Type: (text\/\w+); charset=utf-8/gm)].map(([, kind]) => kind);
    expect(kinds).toEqual(['text/plain', 'text/html']);
  });

  test('one connection serves many mails, and is given up in the end', async () => {
    const mailbox = await server();
    const sender = await output(mailbox.port);
    for (const alert of falcoAlerts(20)) await trySend(sender, [alert]);
    expect(new Set(mailbox.mails.map(({ connection }) => connection)).size).toBe(1);
    await sender.close!();
    await expect.poll(() => mailbox.connections()).toBe(0);
  });

  test('a server that comes back is found at once, the kept connection or not', async () => {
    const mailbox = await server();
    const sender = await output(mailbox.port);
    await trySend(sender, [falcoAlert()]);
    await mailbox.stop();
    await expect(failureOf(trySend(sender, [falcoAlert()]))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'network',
    });
    await mailbox.start();
    await trySend(sender, [falcoAlert()]);
    expect(mailbox.mails).toHaveLength(2);
  });

  test('a server that is away at the start is told as such', async () => {
    const sender = await output(await freePort());
    const failure = await failureOf(trySend(sender, [falcoAlert()]));
    expect(failure).toMatchObject({ reason: 'network', message: 'no server takes the connection' });
    await expect(failureOf(sender.probe!(AbortSignal.timeout(5000)))).resolves.toMatchObject({
      reason: 'network',
    });
  });

  test('a server that hangs ends with the try', async () => {
    const mailbox = await server({ onMailFrom: () => undefined });
    const sender = await output(mailbox.port);
    await expect(failureOf(trySend(sender, [falcoAlert()], 300))).resolves.toMatchObject({
      name: 'RetriableError',
      reason: 'timeout',
    });
    await expect.poll(() => mailbox.connections()).toBe(0);
  });

  describe('refusals', () => {
    test.each([
      [{ onMailFrom: (_a, _s, done) => done(reply(451, '4.7.1 later')) }, 'RetriableError', 'server_error'],
      [{ onMailFrom: (_a, _s, done) => done(reply(550, '5.7.1 no')) }, 'PermanentError', 'client_error'],
      [{ onRcptTo: (_a, _s, done) => done(reply(550, '5.1.1 unknown')) }, 'PermanentError', 'client_error'],
      [{ onRcptTo: (_a, _s, done) => done(reply(450, '4.2.0 grey')) }, 'RetriableError', 'server_error'],
      [
        { onData: (stream, _s, done) => stream.resume().once('end', () => done(reply(554, '5.6.0 spam'))) },
        'PermanentError',
        'client_error',
      ],
      [{ onConnect: (_s, done) => done(reply(554, '5.3.2 not here')) }, 'RetriableError', 'server_error'],
      [{ size: 500 }, 'PermanentError', 'payload'],
    ] satisfies [SMTPServerOptions, string, string][])('%#', async (options, name, reason) => {
      const mailbox = await server(options);
      const failure = await failureOf(trySend(await output(mailbox.port), [falcoAlert()]));
      expect(failure).toMatchObject({ name, reason });
    });

    test('a recipient that is put off gets the mail later, the others once', async () => {
      const refused = new Map([['sec@example.test', reply(450, '4.2.1 busy')]]);
      const mailbox = await server(refusing(refused));
      const sender = await output(mailbox.port, { to: 'ops@example.test,sec@example.test' });
      const alert = falcoAlert();
      await expect(failureOf(trySend(sender, [alert]))).resolves.toMatchObject({
        name: 'RetriableError',
        message: expect.stringContaining('1 of 2 recipients'),
      });
      refused.clear();
      await trySend(sender, [alert]);
      expect(mailbox.mails.map(({ to }) => to)).toEqual([['ops@example.test'], ['sec@example.test']]);
    });

    test('a recipient that is refused for good is told once and keeps nobody else from the mails', async () => {
      const mailbox = await server(refusing(new Map([['gone@example.test', reply(550, '5.1.1 gone')]])));
      const logged: Logged[] = [];
      const to = 'gone@example.test,ops@example.test';
      const sender = await output(mailbox.port, { to }, hostOf({}, logged));
      for (const alert of falcoAlerts(2)) await trySend(sender, [alert]);
      expect(mailbox.mails.map(mail => mail.to)).toEqual([['ops@example.test'], ['ops@example.test']]);
      expect(logged.filter(({ level }) => level === 'warn')).toMatchObject([
        { fields: { recipient: 'gone@example.test', error: expect.stringContaining('5.1.1 gone') } },
      ]);
    });

    test('one refused for good while another is put off: only that one is tried again', async () => {
      const refused = new Map([
        ['gone@example.test', reply(550, '5.1.1 gone')],
        ['ops@example.test', reply(451, '4.3.0 later')],
      ]);
      const mailbox = await server(refusing(refused));
      const sender = await output(mailbox.port, { to: 'gone@example.test,ops@example.test' });
      const alert = falcoAlert();
      await expect(failureOf(trySend(sender, [alert]))).resolves.toMatchObject({ name: 'RetriableError' });
      refused.delete('ops@example.test');
      await trySend(sender, [alert]);
      expect(mailbox.mails.map(({ to }) => to)).toEqual([['ops@example.test']]);
    });
  });

  describe('sign-in', () => {
    test.each([
      ['plain', {}, 'PLAIN ada'],
      ['plain', { identity: 'ops' }, 'PLAIN ops'],
      ['login', {}, 'LOGIN ada'],
    ])('%s %j', async (authmechanism, extra, user) => {
      const mailbox = await server(USERS);
      const config = { authmechanism, user: 'ada', password: 'p@ss wörd', ...extra };
      await trySend(await output(mailbox.port, config), [falcoAlert()]);
      expect(mailbox.mails[0]!.user).toBe(user);
    });

    test.each(['plain', 'login'])('%s with a wrong password is a clear error without it', async mechanism => {
      const mailbox = await server(USERS);
      const config = { authmechanism: mechanism, user: 'ada', password: 'wrong-secret' };
      const failure = await failureOf(trySend(await output(mailbox.port, config), [falcoAlert()]));
      expect(failure).toMatchObject({
        name: 'RetriableError',
        reason: 'auth',
        message: 'the server refused the credentials (535)',
      });
    });

    test('a server that wants one and gets none', async () => {
      const mailbox = await server(USERS);
      await expect(failureOf(trySend(await output(mailbox.port), [falcoAlert()]))).resolves.toMatchObject({
        name: 'RetriableError',
        reason: 'auth',
      });
    });

    test('a server that knows none is not asked for one', async () => {
      const mailbox = await server({ disabledCommands: ['AUTH', 'STARTTLS'] });
      const config = { user: 'ada', password: 'p@ss wörd' };
      await trySend(await output(mailbox.port, config), [falcoAlert()]);
      expect(mailbox.mails).toHaveLength(1);
    });
  });

  test('ten seconds without the server in the middle of 5,000 alerts lose none', async () => {
    const mailbox = await server();
    await survivesOutage({
      config: {
        smtp: {
          ...{ hostport: `127.0.0.1:${mailbox.port}`, tls: false, outputformat: 'text' },
          ...{ from: 'falco@example.test', to: 'ops@example.test' },
        },
      },
      stop: () => mailbox.stop(),
      start: () => mailbox.start(),
      received: async () => mailbox.mails.map(({ raw }) => /^Subject: .*(?:\r\n\s.*)*/m.exec(raw)![0]),
    });
  }, 120_000);
});

describeWith('smtp with TLS', findProgram('openssl') ? undefined : 'openssl is not installed', () => {
  let authority: Authority;
  let other: Authority;
  const tls = (more: SMTPServerOptions = {}) => {
    const { cert, key } = authority.server;
    return server({ cert, key, ca: authority.ca, ...more });
  };
  const send = async (mailbox: MailServer, settings: Parameters<typeof hostOf>[0], config = {}) => {
    const hostport = `localhost:${mailbox.port}`;
    await trySend(await output(mailbox.port, { hostport, tls: true, ...config }, hostOf(settings)), [
      falcoAlert(),
    ]);
  };

  beforeAll(async () => {
    const folder = await scratch('smtp');
    cleanup.push(() => folder.remove());
    [authority, other] = await Promise.all([
      createAuthority(folder.path, 'own'),
      createAuthority(folder.path, 'other'),
    ]);
  });

  test('STARTTLS, with a sign-in behind it', async () => {
    const mailbox = await tls({ ...USERS, allowInsecureAuth: false });
    await send(mailbox, { ca: [authority.ca] }, { user: 'ada', password: 'p@ss wörd' });
    expect(mailbox.mails).toMatchObject([{ secure: true, user: 'PLAIN ada' }]);
  });

  test('TLS from the start', async () => {
    const mailbox = await tls({ secure: true });
    await send(mailbox, { ca: [authority.ca] }, { tlsmode: 'implicit' });
    expect(mailbox.mails).toMatchObject([{ secure: true }]);
  });

  test('a server without STARTTLS gets no mail', async () => {
    const mailbox = await server();
    const failure = await failureOf(send(mailbox, {}));
    expect(failure).toMatchObject({ name: 'RetriableError', message: expect.stringContaining('STARTTLS') });
    expect(mailbox.mails).toEqual([]);
  });

  test('a certificate of another authority is refused, unless none is checked', async () => {
    const mailbox = await tls();
    await expect(failureOf(send(mailbox, { ca: [other.ca] }))).resolves.toMatchObject({
      reason: 'network',
      message: expect.stringContaining('certificate is not trusted'),
    });
    await send(mailbox, { verify: false });
    expect(mailbox.mails).toHaveLength(1);
  });

  test('a client certificate is shown where one is wanted', async () => {
    const mailbox = await tls({ secure: true, requestCert: true, rejectUnauthorized: true });
    const { cert, key } = authority.client;
    await send(mailbox, { ca: [authority.ca], cert, key }, { tlsmode: 'implicit' });
    expect(mailbox.mails).toHaveLength(1);
    const without = failureOf(send(mailbox, { ca: [authority.ca] }, { tlsmode: 'implicit' }));
    await expect(without).resolves.toMatchObject({ name: 'RetriableError' });
  });
});

describeWith('smtp with the rarer sign-ins', missingAiosmtpd(), () => {
  const seenWith = async (config: Record<string, unknown>) => {
    const mailbox = await startSaslServer();
    cleanup.push(() => mailbox.stop());
    const sender = await output(mailbox.port, config);
    const failure = await trySend(sender, [falcoAlert()]).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { seen: await mailbox.seen(), failure, port: mailbox.port };
  };

  test('OAUTHBEARER', async () => {
    const { seen, port } = await seenWith({ authmechanism: 'oauthbearer', user: 'u1', token: 'good' });
    expect(seen).toEqual([
      `OAUTHBEARER n,a=u1,^Ahost=127.0.0.1^Aport=${port}^Aauth=Bearer good^A^A`,
      'to ops@example.test',
    ]);
  });

  test('OAUTHBEARER with a token that is not taken: the reason is acknowledged, nothing sent', async () => {
    const { seen, failure } = await seenWith({ authmechanism: 'oauthbearer', token: 'bad-secret' });
    expect(seen.slice(1)).toEqual(['acknowledged ^A']);
    expect(failure).toMatchObject({ name: 'RetriableError', reason: 'auth' });
    expect((failure as Error).message).not.toContain('bad-secret');
  });

  test.each([
    [{ authmechanism: 'external' }, 'EXTERNAL'],
    [{ authmechanism: 'external', identity: 'ada' }, 'EXTERNAL ada'],
    [{ authmechanism: 'anonymous', trace: 'falco@node' }, 'ANONYMOUS falco@node'],
  ])('%j', async (config, said) => {
    expect((await seenWith(config)).seen).toEqual([said, 'to ops@example.test']);
  });
});
