/** One connection to the server: greeted, encrypted and signed in. */

import { Readable } from 'node:stream';
import type SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { SMTPConnectionSendInfo, SMTPEnvelope } from 'nodemailer/lib/smtp-connection';
import type { Cancellation } from '../../core/contract.ts';
import { untilAborted } from '../_kit/settle.ts';
import { authCommand, type Conversation, type Mechanism, toBase64 } from './sasl.ts';

export interface SessionOptions {
  Connection: typeof SMTPConnection;
  options: ConstructorParameters<typeof SMTPConnection>[0];
  /** Absent: nobody signs in. */
  signIn?: { mechanism: Mechanism; conversation: Conversation };
}

export class Session {
  readonly #connection: SMTPConnection;
  readonly #ended = new AbortController();
  #hasGivenMail = false;

  private constructor(connection: SMTPConnection) {
    this.#connection = connection;
    connection.once('end', () => this.#ended.abort());
    // An error while nothing is asked ends the connection as well, which is all that matters then.
    connection.on('error', () => undefined);
  }

  /** Connects and signs in. @throws the client's error; RetriableError when the signal aborts */
  static async open(options: SessionOptions, signal: Cancellation): Promise<Session> {
    const { Connection, signIn } = options;
    const handler = signIn && { [signIn.mechanism]: talk(signIn.mechanism, signIn.conversation) };
    const connection = new Connection({ ...options.options, ...(handler && { customAuth: handler }) });
    const session = new Session(connection);
    return session.#orClose(async () => {
      await session.#call<void>(done => connection.connect(done));
      // Like falcosidekick: a server that knows no sign-in is not asked for one.
      if (signIn && connection.allowsAuth) {
        await session.#call(done => connection.login({ method: signIn.mechanism }, done));
      }
      return session;
    }, signal);
  }

  /** Aborted when the connection is of no more use. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Whether the server got as far as the text of the last mail: it may have the mail, whatever it said. */
  get hasGivenMail(): boolean {
    return this.#hasGivenMail;
  }

  /** Resolves when at least one recipient was accepted, and the mail. @throws as `open` */
  send(envelope: SMTPEnvelope, mail: Buffer, signal: Cancellation): Promise<SMTPConnectionSendInfo> {
    this.#hasGivenMail = false;
    // The client reads it when the server has asked for it.
    const text = Readable.from(this.#give(mail));
    return this.#orClose(() => this.#call(done => this.#connection.send(envelope, text, done)), signal);
  }

  /** Asks for a sign of life. @throws as `open` */
  async check(signal: Cancellation): Promise<void> {
    await this.#orClose(() => this.#call(done => this.#connection.reset(done)), signal);
  }

  /** Takes leave of the server. */
  close(): void {
    if (this.ended.aborted) return;
    this.#connection.quit();
    // The server may be gone: the client does not wait for its answer longer than this.
    const timer = setTimeout(() => this.#connection.close(), 1000);
    this.ended.addEventListener('abort', () => clearTimeout(timer));
  }

  *#give(mail: Buffer): Generator<Buffer> {
    this.#hasGivenMail = true;
    yield mail;
  }

  async #orClose<T>(work: () => Promise<T>, signal: Cancellation): Promise<T> {
    try {
      return await untilAborted(work(), signal);
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** The client tells of errors through the callback, an event, or by ending without a word. */
  #call<T>(start: (done: (error?: Error | null, result?: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const connection = this.#connection;
      const lost = () => reject(Object.assign(new Error('connection ended'), { code: 'ECONNECTION' }));
      connection.once('error', reject).once('end', lost);
      start((error, result) => {
        connection.off('error', reject).off('end', lost);
        if (error) reject(error);
        else resolve(result as T);
      });
    });
  }
}

type Handlers = NonNullable<NonNullable<SessionOptions['options']>['customAuth']>;

/** The client's own mechanisms know neither an identity nor most of those wanted here. */
function talk(mechanism: Mechanism, conversation: Conversation): Handlers[string] {
  return async ({ sendCommand }) => {
    // A reply without text has no blank after its number, so the client does not read it.
    const ask = async (line: string) => Number.parseInt((await sendCommand(line)).response, 10);
    let status = await ask(authCommand(mechanism, conversation));
    for (const answer of conversation.answers) {
      if (status === 334) status = await ask(toBase64(answer));
    }
    if (status !== 235) throw new Error('not signed in');
  };
}
