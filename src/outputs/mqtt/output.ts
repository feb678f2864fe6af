import type * as Mqtt from 'mqtt';
import type { Alert, Cancellation, Host, Output, SendContext } from '../../core/contract.ts';
import type { PermanentError, RetriableError } from '../../core/errors.ts';
import { LinkKeeper } from '../_kit/link.ts';
import { settle } from '../_kit/settle.ts';
import { toTlsOptions } from '../_kit/tls.ts';
import { parseAddress } from './address.ts';
import { toFailure } from './failures.ts';
import { openSession, type Session } from './session.ts';

/** The output's own keys, see index.ts. */
export interface MqttConfig {
  broker: string;
  topic: string;
  qos: number;
  retained: boolean;
  user: string;
  password: string;
  clientid: string;
  version: '3.1.1' | '5';
}

type Failures = Map<number, RetriableError | PermanentError>;

export class MqttOutput implements Output {
  readonly #links: LinkKeeper<Session>;
  /**
   * Most alerts under way in the next send. When the connection breaks under several, one of them may be the reason, or
   * their number: they go singly next time, and from then on twice as many each time.
   */
  #most = Number.POSITIVE_INFINITY;

  constructor(mqtt: typeof Mqtt, config: MqttConfig, { tls }: Host) {
    const address = parseAddress(config.broker);
    const options = {
      mqtt,
      address,
      tls: /^(mqtts|wss)$/.test(address.protocol) ? toTlsOptions(tls) : undefined,
      version: config.version,
      clientId: config.clientid,
      username: config.user || address.username,
      password: config.user ? config.password : address.password,
      publishing: { topic: config.topic, qos: config.qos as 0 | 1 | 2, retain: config.retained },
    };
    this.#links = new LinkKeeper(signal => openSession(options, signal));
  }

  async send(alerts: readonly Alert[], { signal }: SendContext): Promise<void> {
    const failed: Failures = new Map();
    const waiting = [...alerts.keys()];
    const most = this.#most;
    this.#most = most * 2;
    try {
      while (waiting.length > 0) {
        await this.#links.use(async session => {
          const now = waiting.slice(0, Math.min(most, session.window));
          await Promise.all(
            now.map(async index => {
              const failure = await session.publish(alerts[index]!).catch(toFailure);
              // Once the try has ended nobody listens any more.
              if (signal.aborted) return;
              waiting.splice(waiting.indexOf(index), 1);
              if (failure) failed.set(index, failure);
            }),
          );
          if (session.lost.aborted && now.length > 1) this.#most = 1;
        }, signal);
      }
    } catch (error) {
      for (const index of waiting) failed.set(index, toFailure(error));
    }
    settle(alerts.length, failed);
  }

  async probe(signal: Cancellation): Promise<void> {
    await this.#links.use(session => session.ping(), signal);
  }

  close(): Promise<void> {
    return this.#links.close();
  }
}
