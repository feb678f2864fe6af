/** The alert behind `/test` and `tiercel test`, with falcosidekick's content. */
import { type AlertDraft, DraftFields, newUuid, TEST_RULE } from './alert.ts';

/** A new test alert, stamped with the given time (milliseconds since the epoch). */
export function testDraft(nowMs: number): AlertDraft {
  const fields = '{"proc.name":"falcosidekick","user.name":"falcosidekick"}';
  return {
    uuid: newUuid(),
    output: 'This is a test from falcosidekick',
    priority: 'Debug',
    rule: TEST_RULE,
    time: new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    source: 'debug',
    tags: ['test', 'example'],
    hostname: 'falcosidekick',
    fields: new DraftFields(fields),
    extraText: '',
  };
}
