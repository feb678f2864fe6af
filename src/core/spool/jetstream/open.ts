/** Opens a spool on JetStream: the client's packages are loaded here, and nowhere else in the core. */
import { join } from 'node:path';
import type { SpoolConfig } from '../../config/types.ts';
import { ClientTls } from '../../http/client-tls.ts';
import { connectNats, type NatsTarget } from '../../nats/connect.ts';
import { loadTransport } from '../../nats/transport.ts';
import type { Spool, SpoolDeps } from '../contract.ts';
import { BUFFER } from '../left-behind.ts';
import { JetStreamSpool } from './spool.ts';

export interface JetStreamDeps extends SpoolDeps {
  /** Opens the local buffer with such a configuration. */
  openBuffer(config: SpoolConfig): Promise<Spool>;
}

/**
 * Opens the local buffer and connects. A server that is away does not keep the spool from opening.
 * @throws SpoolLockedError | SpoolFaultError when the folder of the buffer cannot be used
 */
export async function openJetStreamSpool(config: SpoolConfig, deps: JetStreamDeps): Promise<Spool> {
  const { clock, log, openBuffer } = deps;
  const [transport, jetstream, { Kvm }] = await Promise.all([
    loadTransport(),
    import('@nats-io/jetstream'),
    import('@nats-io/kv'),
  ]);
  const target = toTarget(config);
  const buffer = await openBuffer(bufferConfig(config));
  const spool = new JetStreamSpool(config, {
    clock,
    log,
    transport,
    jetstream,
    buffer,
    connect: () => connectNats(transport, target()),
    openLimits: ({ jetstream: client }, bucket) =>
      new Kvm(client).create(bucket, { replicas: config.jetstream!.replicas, history: 1 }),
  });
  return spool.start();
}

/** The target of a connection, with certificates as they are at the time of the call. */
export function toTarget(config: SpoolConfig): () => NatsTarget {
  const { servers, login, tls } = config.jetstream!;
  const client = new ClientTls(tls);
  return () => ({
    servers,
    login,
    tls: client.options(),
    expectsTls: Boolean(tls.caFiles.length || tls.certFile || tls.serverName || !tls.verify),
    name: 'tiercel',
  });
}

/** The disk driver as it serves in front: bounded, nothing kept of what NATS has. */
export function bufferConfig(config: SpoolConfig): SpoolConfig {
  return {
    ...config,
    driver: 'disk',
    path: join(config.path, BUFFER),
    maxBytes: config.jetstream!.bufferBytes,
    maxAgeMs: 0,
    historyBytes: 0,
    historyAgeMs: 0,
  };
}
