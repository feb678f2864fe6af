import type MailComposer from 'nodemailer/lib/mail-composer';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Alert, Cancellation, Host, Output, SendContext } from '../../core/contract.ts';
import { type PermanentError, RetriableError } from '../../core/errors.ts';
import { parseHostPort } from '../_kit/hostport.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { domainOf, type Mailbox, parseMailboxes } from './addresses.ts';
import type { SmtpConfig } from './config.ts';
import { toFailure } from './failures.ts';
import { toMailText } from './mail.ts';
import { conversation } from './sasl.ts';
import { Session, type SessionOptions } from './session.ts';
import { Sessions } from './sessions.ts';

/** The parts of nodemailer in use. */
export interface Nodemailer {
  MailComposer: typeof MailComposer;
  SMTPConnection: typeof SMTPConnection;
}

/** TLS from the first byte on: RFC 8314, section 3.3. */
const SUBMISSIONS_PORT = 465;
const CONNECT_MS = 10_000;
/** Alerts of which the recipients that are still to get it are remembered. */
const MAX_REMEMBERED = 10_000;

/** A mail that some recipients did not get yet. */
interface Left {
  to: readonly string[];
  /** Whether another recipient has got it. */
  delivered: boolean;
}

interface Refusal {
  recipient: string;
  failure: RetriableError | PermanentError;
}

export class SmtpOutput implements Output {
  readonly #nodemailer: Nodemailer;
  readonly #config: SmtpConfig;
  readonly #host: Host;
  readonly #from: Mailbox;
  readonly #to: readonly Mailbox[];
  readonly #sessions: Sessions;
  readonly #left = new Map<string, Left>();
  /** Recipients whose refusal was logged. */
  readonly #told = new Set<string>();

  constructor(nodemailer: Nodemailer, config: SmtpConfig, host: Host) {
    this.#nodemailer = nodemailer;
    this.#config = config;
    this.#host = host;
    this.#from = parseMailboxes(config.from)[0]!;
    this.#to = parseMailboxes(config.to.join(', '));
    const options = toSessionOptions(nodemailer, config, host);
    this.#sessions = new Sessions(signal => Session.open(options, signal));
  }

  async send([alert]: readonly Alert[], { signal }: SendContext): Promise<void> {
    const { uuid } = alert!;
    const left = this.#left.get(uuid) ?? { to: this.#to.map(({ address }) => address), delivered: false };
    const mail = await this.#compose(alert!);
    const envelope = { from: this.#from.address, to: [...left.to], size: mail.length };
    const refusals = await this.#sessions.use(
      session => refusalsOf(session.send(envelope, mail, signal)),
      signal,
    );
    this.#settle(uuid, left, refusals);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#sessions.use(session => session.check(signal), signal);
  }

  async close(): Promise<void> {
    this.#sessions.close();
  }

  #compose(alert: Alert): Promise<Buffer> {
    const composer = new this.#nodemailer.MailComposer({
      from: this.#from,
      to: [...this.#to],
      ...toMailText(alert, this.#config.outputformat),
      // The same at each try: a receiver can tell a repetition.
      messageId: `<${alert.uuid}@${domainOf(this.#from)}>`,
      // Nobody's absence note is wanted: RFC 3834.
      headers: { 'Auto-Submitted': 'auto-generated' },
      textEncoding: 'quoted-printable',
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    return composer.compile().build();
  }

  /** The mail is through when no recipient is left that may take it later. */
  #settle(uuid: string, left: Left, refusals: readonly Refusal[]): void {
    this.#left.delete(uuid);
    const delivered = left.delivered || refusals.length < left.to.length;
    const later = refusals.filter(({ failure }) => failure instanceof RetriableError);
    if (later.length > 0) {
      this.#remember(uuid, { to: later.map(({ recipient }) => recipient), delivered });
    } else if (!delivered) throw refusals[0]!.failure;
    for (const { recipient, failure } of refusals) this.#tell(recipient, failure);
    if (later.length === 0) return;
    const { reason, message } = later[0]!.failure;
    throw new RetriableError(`${later.length} of ${this.#to.length} recipients: ${message}`, { reason });
  }

  #remember(uuid: string, left: Left): void {
    this.#left.set(uuid, left);
    if (this.#left.size > MAX_REMEMBERED) this.#left.delete(this.#left.keys().next().value!);
  }

  #tell(recipient: string, failure: RetriableError | PermanentError): void {
    if (failure instanceof RetriableError || this.#told.has(recipient)) return;
    this.#told.add(recipient);
    const fields = { output: this.#host.id, recipient, error: failure.message };
    this.#host.log.warn(fields, 'the server refuses a recipient; the others get the mails');
  }
}

function toSessionOptions({ SMTPConnection }: Nodemailer, config: SmtpConfig, host: Host): SessionOptions {
  const server = parseHostPort(config.hostport);
  const mode = server.port === SUBMISSIONS_PORT ? 'implicit' : 'starttls';
  const secure = config.tls && (config.tlsmode === 'auto' ? mode : config.tlsmode) === 'implicit';
  const { authmechanism: mechanism } = config;
  const nothing = mechanism === 'plain' && config.user === '' && config.password === '';
  return {
    Connection: SMTPConnection,
    options: {
      ...server,
      secure,
      requireTLS: config.tls && !secure,
      ignoreTLS: !config.tls,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      ...(config.tls && { tls: toTlsOptions(host.tls) }),
    },
    ...(mechanism !== 'none' &&
      !nothing && { signIn: { mechanism, conversation: conversation(mechanism, config, server) } }),
  };
}

interface RecipientError {
  recipient?: string;
}

/** The recipients that were refused, all or some of them. @throws what else the sending throws */
async function refusalsOf(sending: ReturnType<Session['send']>): Promise<Refusal[]> {
  const errors = await sending.then(
    ({ rejectedErrors }) => rejectedErrors,
    error => {
      const { rejectedErrors } = error as { rejectedErrors?: (Error & RecipientError)[] };
      if (!rejectedErrors?.length) throw error;
      return rejectedErrors;
    },
  );
  return (errors ?? []).map(error => ({
    recipient: (error as RecipientError).recipient ?? '',
    failure: toFailure(error),
  }));
}
