import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { SqliteDeadLetters } from '../../../src/core/spool/dead-letters.ts';
import { allLetters } from '../../../src/core/spool/letter-page.ts';
import { recordingLogger } from '../../support/logger.ts';
import { numbered, realClock } from '../../support/spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'tiercel-letters-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('letters that cannot be read end no page, and hide none of those behind them', async () => {
  const path = join(folder, 'letters.sqlite');
  const box = new SqliteDeadLetters({
    path,
    maxCount: 0,
    maxAgeMs: 0,
    durable: false,
    clock: realClock,
    log: recordingLogger(),
    setAside: () => {},
  });
  const letter = { output: 'a', error: 'refused', reason: 'client_error', attempts: 1, buriedAt: 1 };
  for (let number = 1; number <= 4; number++) await box.add({ ...letter, alert: numbered(number) });
  const file = new DatabaseSync(path);
  file.exec(`update letters set alert = x'7b' where id in (3, 4)`);
  file.close();
  expect((await box.list({ limit: 1 })).map(({ id }) => id)).toEqual([2]);
  const found: number[] = [];
  for await (const { id } of allLetters(box, {})) found.push(id);
  expect(found).toEqual([2, 1]);
  box.close();
});
