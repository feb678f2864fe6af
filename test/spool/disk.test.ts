import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openSpool } from '../../src/core/spool/open.ts';
import { recordingLogger } from '../support/logger.ts';
import { realClock, SPOOL } from '../support/spool.ts';
import { runSpoolSuite } from './suite.ts';

const root = mkdtempSync(join(tmpdir(), 'spool-'));
let folders = 0;

afterAll(() => rmSync(root, { recursive: true }));

const open =
  (config: Partial<typeof SPOOL>) => (overrides: Partial<typeof SPOOL>, clock: { now: () => number }) =>
    openSpool(
      { ...SPOOL, ...config, ...overrides, driver: 'disk', path: join(root, String(++folders)) },
      { clock: { ...realClock, ...clock }, log: recordingLogger() },
    );

runSpoolSuite('disk', open({}));
runSpoolSuite('disk, durable', open({ durability: 'power' }));
