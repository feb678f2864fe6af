import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Output, TlsSettings } from '../../src/core/contract.ts';
import { PartialError } from '../../src/core/errors.ts';
import syslog from '../../src/outputs/syslog/index.ts';
import { survivesOutage } from '../support/broker-outage.ts';
import { falcoAlert, falcoAlerts } from '../support/services/alerts.ts';
import { type Authority, createAuthority } from '../support/services/certificates.ts';
import { deliver, failureOf, hostOf, openOutput, trySend } from '../support/services/drive.ts';
import { describeWith } from '../support/services/need.ts';
import { scratch } from '../support/services/process.ts';
import {
  missingRsyslog,
  type Rsyslog,
  type SyslogMessage,
  startRsyslog,
} from '../support/services/rsyslog.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
});

async function server(options?: Parameters<typeof startRsyslog>[0]): Promise<Rsyslog> {
  const started = await startRsyslog(options);
  cleanup.push(() => started.remove());
  return started;
}

async function output(config: Record<string, unknown>, tls: Partial<TlsSettings> = {}): Promise<Output> {
  const opened = await openOutput(syslog, { host: '127.0.0.1', ...config }, hostOf(tls));
  cleanup.push(() => opened.close!());
  return opened;
}

/** The newest messages, when there are that many more than before. */
async function arrived(from: Rsyslog, before: number, count: number): Promise<SyslogMessage[]> {
  await expect.poll(async () => (await from.received()).length).toBe(before + count);
  return (await from.received()).slice(before);
}

describeWith('syslog', missingRsyslog(), () => {
  let plain: Rsyslog;
  const delivered = async (config: Record<string, unknown>, alerts = [falcoAlert()]) => {
    const before = (await plain.received()).length;
    const port = config.protocol === 'udp' ? plain.udpPort : plain.tcpPort;
    await deliver(await output({ port, ...config }), alerts, 50);
    return arrived(plain, before, alerts.length);
  };

  beforeAll(async () => {
    plain = await server();
  });

  test.each(['udp', 'tcp'])("%s: falcosidekick's header is read as meant", async protocol => {
    const alert = falcoAlert({ output: 'Ünïcode ✓ \r\n<1>next', priority: 'critical' });
    const [message] = await delivered({ protocol }, [alert]);
    expect(message).toMatchObject({
      hostname: hostname(),
      syslogtag: `Falco[${process.pid}]:`,
      programname: 'Falco',
      syslogfacility: '0',
      syslogseverity: '2',
      timereported: '2026-03-04T10:15:02Z',
    });
    expect(message!.msg.trim()).toBe(alert.json);
  });

  test.each([
    ['udp', 'rfc5424', {}],
    ['tcp', 'rfc5424', { framing: 'octets' }],
    ['tcp', 'rfc5424', {}],
    ['tcp', 'rfc3164', { framing: 'octets' }],
    ['udp', 'rfc3164', {}],
  ])('%s with %s %j', async (protocol, header, more) => {
    const alerts = falcoAlerts(3, { output: 'ä' });
    const messages = await delivered({ protocol, header, facility: 'local3', ...more }, alerts);
    expect(messages.map(({ msg }) => msg.trim())).toEqual(alerts.map(({ json }) => json));
    expect(messages[0]).toMatchObject({
      hostname: hostname(),
      programname: 'Falco',
      syslogfacility: '19',
      syslogseverity: '4',
    });
  });

  test('CEF', async () => {
    const alert = falcoAlert({ rule: 'a|b', output: 'one\ntwo=2' });
    const [message] = await delivered({ format: 'cef', strictcef: true }, [alert]);
    expect(message!.msg).toContain('CEF:0|Falcosecurity|Falco|1.0|Falco Event|a\\|b|6|');
    expect(message!.msg).toContain(' msg=one\\ntwo\\=2 ');
  });

  test.each(['tcp', 'udp'])('%s: many arrive whole and in order', async protocol => {
    const alerts = falcoAlerts(1000);
    const messages = await delivered({ protocol }, alerts);
    expect(messages.map(({ msg }) => msg.trim())).toEqual(alerts.map(({ json }) => json));
  });

  test('a connection for each batch, with confirm', async () => {
    const alerts = falcoAlerts(100);
    const messages = await delivered({ protocol: 'tcp', confirm: true }, alerts);
    expect(messages.map(({ msg }) => msg.trim())).toEqual(alerts.map(({ json }) => json));
  });

  test.each(['tcp', 'udp'])(
    '%s: a server that is away is told as such, and found when it comes',
    async protocol => {
      const late = await server();
      await late.stop();
      const sender = await output({ protocol, port: protocol === 'udp' ? late.udpPort : late.tcpPort });
      const failure = await failureOf(trySend(sender, [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
      await late.start();
      await trySend(sender, [falcoAlert()]);
      await arrived(late, 0, 1);
    },
  );

  test('udp: an alert that no datagram can hold is refused alone', async () => {
    const before = (await plain.received()).length;
    const sender = await output({ protocol: 'udp', port: plain.udpPort });
    const big = falcoAlert({ output: 'x'.repeat(66_000) });
    const failure = await failureOf(trySend(sender, [falcoAlert(), big, falcoAlert()]));
    expect(failure).toBeInstanceOf(PartialError);
    expect([...(failure as PartialError).failed]).toMatchObject([
      [1, { name: 'PermanentError', reason: 'payload' }],
    ]);
    await arrived(plain, before, 2);
  });

  test('a name that is not known', async () => {
    for (const protocol of ['udp', 'tcp']) {
      const sender = await output({ protocol, host: 'nowhere.invalid' });
      const failure = await failureOf(trySend(sender, [falcoAlert()]));
      expect(failure).toMatchObject({ name: 'RetriableError', reason: 'network' });
    }
  });

  describe('TLS', () => {
    let authority: Authority;
    let other: Authority;
    let mutual: Rsyslog;
    const send = async (port: number, tls: Partial<TlsSettings>, config = {}) => {
      const host = { host: 'localhost', port, protocol: 'tls' };
      await trySend(await output({ ...host, ...config }, tls), [falcoAlert()]);
    };

    beforeAll(async () => {
      const folder = await scratch('syslog');
      cleanup.push(() => folder.remove());
      [authority, other] = await Promise.all([
        createAuthority(folder.path, 'own'),
        createAuthority(folder.path, 'other'),
      ]);
      mutual = await server({ authority, clients: true });
    });

    test('octet-counted or by lines', async () => {
      const secured = await server({ authority });
      await send(secured.tlsPort, { ca: [authority.ca] });
      await send(secured.tlsPort, { ca: [authority.ca] }, { framing: 'newline' });
      await arrived(secured, 0, 2);
    });

    test('a certificate of another authority is refused', async () => {
      const failure = await failureOf(send(mutual.tlsPort, { ca: [other.ca] }));
      expect(failure).toMatchObject({ message: expect.stringContaining('certificate is not trusted') });
    });

    test('a client certificate is shown where one is wanted', async () => {
      const { cert, key } = authority.client;
      await send(mutual.tlsPort, { ca: [authority.ca], cert, key });
      await arrived(mutual, 0, 1);
      const failure = await failureOf(send(mutual.tlsPort, { ca: [authority.ca] }));
      expect(failure.name).toBe('RetriableError');
      expect(await mutual.received()).toHaveLength(1);
    });
  });

  test.each(['tcp', 'udp'])(
    '%s: ten seconds without the server in the middle of 5,000 alerts lose none',
    async protocol => {
      const shaky = await server();
      await survivesOutage({
        config: {
          syslog: { host: '127.0.0.1', protocol, port: protocol === 'udp' ? shaky.udpPort : shaky.tcpPort },
        },
        stop: () => shaky.stop(),
        start: () => shaky.start(),
        stopsIdle: protocol === 'udp',
        received: async () => (await shaky.received()).map(({ msg }) => msg),
      });
    },
    120_000,
  );
});
