import { expect, test } from 'vitest';
import { StreamDeadLetters } from '../../../../src/core/spool/jetstream/dead-letters.ts';
import { namesOf } from '../../../../src/core/spool/jetstream/names.ts';
import { recordingLogger } from '../../../support/logger.ts';
import { numbered } from '../../../support/spool.ts';

test('a dead letter that the cluster has not agreed on is not stored', async () => {
  const session = {
    connection: { info: { max_payload: 1 << 20 } },
    jetstream: { publish: async () => ({ stream: 'tiercel-dead', seq: 0, duplicate: true }) },
  };
  const letters = new StreamDeadLetters({
    transport: { headers: () => new Map() } as never,
    link: { session } as never,
    names: namesOf('tiercel'),
    log: recordingLogger(),
  });
  const alert = numbered(1);
  const letter = { output: 'a', alert, error: 'refused', reason: 'client_error', attempts: 1, buriedAt: 1 };
  await expect(letters.addOnce(letter as never, 7)).rejects.toThrow('not agreed');
});
