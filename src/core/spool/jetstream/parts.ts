/** What a spool on JetStream is given. */
import type * as JetStream from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import type * as Transport from '@nats-io/transport-node';
import type { Clock, Logger } from '../../contract.ts';
import type { Spool } from '../contract.ts';
import type { Session } from './link.ts';

export interface JetStreamParts {
  clock: Clock;
  log: Logger;
  transport: typeof Transport;
  jetstream: typeof JetStream;
  connect(): Promise<Transport.NatsConnection>;
  /** Opens the bucket of the shared limits. */
  openLimits(session: Session, bucket: string): Promise<KV>;
  /** The disk driver, in front. */
  buffer: Spool;
}
