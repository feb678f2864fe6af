/** Spools on a real NATS server for tests: each on a stream of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamConfig, SpoolConfig } from '../../src/core/config/types.ts';
import type { Logger } from '../../src/core/contract.ts';
import type { Spool } from '../../src/core/spool/contract.ts';
import { openSpool } from '../../src/core/spool/open.ts';
import type { Place } from '../spool/suite/rig.ts';
import { recordingLogger } from './logger.ts';
import { SPOOL } from './spool.ts';

/** The suite's hour lasts three seconds: the server's clock cannot be moved. */
export const ON_A_SERVER: Place = {
  hourMs: 3_000,
  startAt: () => Date.now(),
  pass: ms => sleep(ms).then(() => undefined),
  quietMs: 400,
};

export function jetStreamConfig(servers: readonly string[], replicas = 1): JetStreamConfig {
  return {
    servers,
    stream: `t${randomBytes(6).toString('hex')}`,
    replicas,
    login: { credentials: '', nkey: '', token: '', username: '', password: '' },
    tls: { verify: true, caFiles: [], certFile: '', keyFile: '', serverName: '' },
    bufferBytes: 64 << 20,
  };
}

/** Data folders of spools, removed together. */
export class Folders {
  readonly #paths: string[] = [];

  make(): string {
    const path = mkdtempSync(join(tmpdir(), 'tiercel-jetstream-'));
    this.#paths.push(path);
    return path;
  }

  remove(): void {
    for (const path of this.#paths.splice(0)) rmSync(path, { recursive: true, force: true });
  }
}

/** Opens a spool; without `jetstream` among the overrides on a stream of its own. */
export function openOnServer(
  jetstream: JetStreamConfig,
  path: string,
  overrides: Partial<SpoolConfig> = {},
  deps: { now?: () => number; log?: Logger } = {},
): Promise<Spool> {
  const clock = { now: deps.now ?? Date.now, monotonic: () => performance.now(), random: () => 0.5 };
  return openSpool(
    { ...SPOOL, driver: 'jetstream', path, jetstream, ...overrides },
    { clock, log: deps.log ?? recordingLogger() },
  );
}
