import { z } from 'zod';
import { defineOutput } from '../../core/contract.ts';
import { flag, list, oneOf, secret, text } from '../../core/keys.ts';
import { parseHostPort } from '../_kit/hostport.ts';
import { parseMailboxes } from './addresses.ts';
import { SmtpOutput } from './output.ts';
import { missingCredentials } from './sasl.ts';

interface Problem {
  path: string;
  message: string;
  hint?: string;
}

function problemOf(path: string, read: () => unknown): Problem[] {
  try {
    read();
    return [];
  } catch (error) {
    return [{ path, message: (error as Error).message }];
  }
}

export default defineOutput({
  name: 'smtp',
  title: 'SMTP',
  category: 'mail',
  docs: 'Sends each alert as a mail to all recipients at once, see https://www.rfc-editor.org/rfc/rfc5321.',
  keys: z.object({
    hostport: text('Mail server as host:port. Together with from and to it turns the output on.'),
    tls: flag('Insists on TLS.', true),
    tlsmode: oneOf(
      'How TLS begins: with the connection (implicit) or by STARTTLS. auto is implicit on port 465 and starttls on all others.',
      ['auto', 'starttls', 'implicit'],
      'auto',
    ),
    from: text('Sender, `falco@example.com` or `Falco <falco@example.com>`.'),
    to: list('Recipients, with or without names.'),
    outputformat: oneOf(
      'html sends a text and an HTML form, text the text alone.',
      ['html', 'text'],
      'html',
      {
        otherwise: 'html',
      },
    ),
    authmechanism: oneOf(
      'How to sign in. plain without user and password does not; nobody signs in at a server that does not offer it.',
      ['plain', 'login', 'oauthbearer', 'external', 'anonymous', 'none'],
      'plain',
    ),
    user: text('User name for plain, login and oauthbearer.'),
    password: secret('Password for plain and login.'),
    token: secret('Token for oauthbearer.'),
    identity: text('Who to act as, for plain and external; empty for the one who signs in.'),
    trace: text('What to say of oneself, for anonymous.'),
  }),
  tls: true,
  enabled: config => config.hostport !== '' && config.from !== '' && config.to.length > 0,
  check(config) {
    const problems = [
      ...problemOf('hostport', () => parseHostPort(config.hostport)),
      ...problemOf('from', () => {
        if (parseMailboxes(config.from).length !== 1) throw new Error('expected one address');
      }),
      ...problemOf('to', () => {
        if (parseMailboxes(config.to.join(', ')).length === 0) throw new Error('expected an address');
      }),
    ];
    if (config.authmechanism === 'none') return problems;
    const missing = missingCredentials(config.authmechanism, config);
    return [
      ...problems,
      ...missing.map(path => ({ path, message: `expected for authmechanism ${config.authmechanism}` })),
    ];
  },
  // As many connections at most; servers take few from one client (Postfix 50, many hosters 10).
  concurrency: 4,
  async open(config, host) {
    const [{ default: MailComposer }, { default: SMTPConnection }] = await Promise.all([
      import('nodemailer/lib/mail-composer'),
      import('nodemailer/lib/smtp-connection'),
    ]);
    return new SmtpOutput({ MailComposer, SMTPConnection }, config, host);
  },
  example: { hostport: 'mail.example:587', from: 'falco@example.com', to: 'ops@example.com' },
});
