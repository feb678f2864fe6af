/** Asks the server for alerts of one output, no more than are wanted. */
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Session } from './link.ts';

/** How long a request stands when there is nothing; then it is made again if alerts are still wanted. */
const EXPIRES_MS = 30_000;
/** Two signs of life that do not come end a request: its server may be gone. */
const HEARTBEAT_MS = 2_500;
const AGAIN_MS = 500;

/** The client's messages have the subject for their answer, but do not declare it. */
export type Pulled = JsMsg & { readonly reply: string };

export interface PullerOptions {
  stream: string;
  /** Name of the durable consumer. */
  consumer: string;
  arrived(message: Pulled): void;
  /** A request has ended: there may be room for another. */
  ended(): void;
  /** The consumer is not there any more, or cannot be asked. */
  failed(error: unknown): void;
}

export class Puller {
  readonly #options: PullerOptions;
  #session: Session | undefined;
  #consumer: Promise<Consumer> | undefined;
  readonly #requests = new Set<{ left: number; messages?: ConsumerMessages }>();
  #isWaiting = false;

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** Alerts asked for that have not come. */
  get outstanding(): number {
    let sum = 0;
    for (const { left } of this.#requests) sum += left;
    return sum;
  }

  up(session: Session): void {
    this.#session = session;
  }

  down(): void {
    this.#session = undefined;
    this.#consumer = undefined;
    this.cancel();
  }

  /** Asks for so many more. */
  request(count: number): void {
    const session = this.#session;
    if (!session || this.#isWaiting) return;
    const request = { left: count };
    this.#requests.add(request);
    void this.#run(session, request);
  }

  /** Takes back what was asked for. */
  cancel(): void {
    for (const { messages } of this.#requests) void messages?.close();
    this.#requests.clear();
  }

  async #run(session: Session, request: { left: number; messages?: ConsumerMessages }): Promise<void> {
    const { stream, consumer, arrived, ended, failed } = this.#options;
    try {
      this.#consumer ??= session.jetstream.consumers.get(stream, consumer);
      const source = await this.#consumer;
      request.messages = await source.fetch({
        max_messages: request.left,
        expires: EXPIRES_MS,
        idle_heartbeat: HEARTBEAT_MS,
      });
      if (!this.#requests.has(request)) return void (await request.messages.close());
      for await (const message of request.messages) {
        request.left--;
        arrived(message as Pulled);
      }
    } catch (error) {
      if (this.#session !== session || !this.#requests.has(request)) return;
      this.#consumer = undefined;
      failed(error);
      this.#pause();
    } finally {
      this.#requests.delete(request);
      if (!this.#isWaiting) ended();
    }
  }

  #pause(): void {
    this.#isWaiting = true;
    setTimeout(() => {
      this.#isWaiting = false;
      this.#options.ended();
    }, AGAIN_MS).unref();
  }
}
