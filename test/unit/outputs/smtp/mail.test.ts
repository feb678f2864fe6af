import { describe, expect, test } from 'vitest';
import { toMailText } from '../../../../src/outputs/smtp/mail.ts';
import { falcoAlert } from '../../../support/services/alerts.ts';

describe('mail', () => {
  test('the text form', () => {
    const alert = falcoAlert(
      { tags: ['z', 'a'], time: '2026-03-04T11:00:00.5+02:00' },
      { b: [1, 'x'], 'a.b': null, 'proc.name': 'däemon' },
    );
    expect(toMailText(alert, 'text')).toEqual({
      subject: '[Warning] 10:15:02.123456789: Warning A shell was opened (user=ada shell=zsh)',
      date: 'Wed, 04 Mar 2026 11:00:00 +0200',
      text: [
        'Priority: Warning',
        'Output: 10:15:02.123456789: Warning A shell was opened (user=ada shell=zsh)',
        'Rule: Shell opened in container',
        'Source: syscall',
        'Hostname: node-1',
        'Tags: z a',
        'Time: 2026-03-04 11:00:00.5 +0200 +0200',
        '',
        '--Fields--',
        'a.b: <no value>',
        'b: [1 x]',
        'proc.name: däemon',
        '',
      ].join('\n'),
    });
  });

  test('the HTML form: colour of the priority, null is empty, nothing of the alert is markup', () => {
    const alert = falcoAlert(
      { priority: 'critical', output: '<script>alert("1")</script>', rule: 'a & b' },
      { '<b>': "'x'", none: null },
    );
    const { html } = toMailText(alert, 'html');
    expect(html).toContain('background-color:#ff9000');
    expect(html).toContain('>&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;</td>');
    expect(html).toContain('>a &amp; b</td>');
    expect(html).toContain(
      '<strong>&lt;b&gt;</strong></td><td style="background-color:#d1d6da">&#39;x&#39;</td>',
    );
    expect(html).toContain('<strong>none</strong></td><td style="background-color:#d1d6da"></td>');
    expect(html).not.toMatch(/<script|https?:/);
  });

  test('the subject is one line of bounded length', () => {
    const subject = (output: string) => toMailText(falcoAlert({ output }), 'text').subject;
    expect(subject('a\r\nBcc: x@y.test\n\n<body>\u2028\u0000z')).toBe('[Warning] a Bcc: x@y.test <body> z');
    const long = subject('🦅'.repeat(5000));
    expect(long.length).toBeLessThanOrEqual(4000);
    expect(long.isWellFormed()).toBe(true);
    expect(long.endsWith('🦅…')).toBe(true);
  });
});
