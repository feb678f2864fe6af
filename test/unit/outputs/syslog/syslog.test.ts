import { describe, expect, test } from 'vitest';
import { toCef } from '../../../../src/outputs/syslog/cef.ts';
import syslog from '../../../../src/outputs/syslog/index.ts';
import { type Header, toDatagram, toFrame, toMessage } from '../../../../src/outputs/syslog/message.ts';
import { falcoAlert } from '../../../support/services/alerts.ts';

const UUID = '5f3a1b52-6c1e-4d0f-9a40-0c8d1b2e3f40';
const SENDER = { hostname: 'node-7', pid: 42 };

describe('messages', () => {
  const alert = falcoAlert({ time: '2026-03-04T10:15:02.1234567+02:00', priority: 'critical' });
  const message = (header: Header, facility: 'kern' | 'local3' = 'kern') =>
    toMessage(alert, 'BODY', { header, facility, sender: SENDER });

  test('headers', () => {
    expect(message('falcosidekick')).toBe('<2>2026-03-04T10:15:02+02:00 node-7 Falco[42]: BODY');
    expect(message('rfc3164', 'local3')).toBe('<154>Mar  4 10:15:02 node-7 Falco[42]: BODY');
    expect(message('rfc5424', 'local3')).toBe(
      '<154>1 2026-03-04T10:15:02.123456+02:00 node-7 Falco 42 - - BODY',
    );
  });

  test.each([
    ['emergency', 0],
    ['alert', 1],
    ['critical', 2],
    ['error', 3],
    ['warning', 4],
    ['notice', 5],
    ['informational', 6],
    ['debug', 7],
  ])('%s has severity %i', (priority, severity) => {
    const text = toMessage(falcoAlert({ priority }), '', {
      header: 'falcosidekick',
      facility: 'kern',
      sender: SENDER,
    });
    expect(text.startsWith(`<${severity}>`)).toBe(true);
  });

  test('a host name that no header could hold', () => {
    const sender = { hostname: 'nöde 7\n', pid: 1 };
    expect(toMessage(alert, '', { header: 'rfc5424', facility: 'kern', sender })).toContain(' nde7 Falco');
    expect(
      toMessage(alert, '', { header: 'rfc5424', facility: 'kern', sender: { hostname: '', pid: 1 } }),
    ).toContain('+02:00 - Falco');
  });

  test('framing counts bytes, not characters', () => {
    expect(toFrame('é!', 'octets').toString()).toBe('3 é!');
    expect(toFrame('é!', 'newline').toString()).toBe('é!\n');
    expect(toDatagram('x', 'falcosidekick').toString()).toBe('x\n');
    expect(toDatagram('x', 'rfc5424').toString()).toBe('x');
  });
});

describe('CEF', () => {
  test("falcosidekick's form", () => {
    const alert = falcoAlert(
      { uuid: UUID, tags: ['b', 'a'] },
      { 'proc.tty': null, list: ['a', 'b'], 'user.name': 'ada' },
    );
    expect(toCef(alert, false)).toBe(
      `CEF:0|Falcosecurity|Falco|1.0|Falco Event|Shell opened in container|6|uuid=${UUID} start=2026-03-04T10:15:02Z ` +
        'msg=10:15:02.123456789: Warning A shell was opened (user=ada shell=zsh) source=syscall hostname=node-1 ' +
        'outputfields=list:[a b] proc.tty:<nil> user.name:ada tags=b,a',
    );
  });

  test('what is empty is left out', () => {
    const cef = toCef(falcoAlert({ uuid: UUID, tags: [], hostname: '' }, {}), false);
    expect(cef).not.toMatch(/hostname=|tags=|outputfields=/);
  });

  const nasty = falcoAlert(
    { uuid: UUID, rule: 'a|b\\c\nd', output: 'x=1|2\\3\r\ny\rz\u0000\u2028' },
    { k: 'a=b' },
  );

  test('the header is escaped always, line breaks never go out', () => {
    const cef = toCef(nasty, false);
    expect(cef).toContain('|a\\|b\\\\c d|6|');
    expect(cef).toContain('msg=x=1|2\\3\\ny\\rz   source=');
    expect(cef).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  });

  test('strictly, equals signs and backslashes are escaped and the time is in milliseconds', () => {
    const cef = toCef(nasty, true);
    expect(cef).toContain('start=1772619302123 ');
    expect(cef).toContain('msg=x\\=1|2\\\\3\\ny\\rz   source=');
    expect(cef).toContain('outputfields=k:a\\=b');
  });
});

describe('settings', () => {
  const parse = (config: Record<string, unknown>) => syslog.keys.parse(config);

  test('tcp and JSON by default, words in any case', () => {
    expect(parse({ host: 'x' })).toMatchObject({ protocol: 'tcp', format: 'json', header: 'falcosidekick' });
    expect(parse({ protocol: 'UDP', format: 'CEF', port: '5514' })).toMatchObject({
      protocol: 'udp',
      format: 'cef',
      port: 5514,
    });
    expect(parse({ format: 'other' })).toMatchObject({ format: 'json' });
    expect(() => parse({ protocol: 'sctp' })).toThrow();
  });

  test('a host with a port or a scheme is told', () => {
    const problems = (host: string) => syslog.check!(parse({ host }));
    expect(problems('logs.example:514')).toHaveLength(1);
    expect(problems('udp://logs.example')).toHaveLength(1);
    expect(problems('::1')).toEqual([]);
  });
});
