/** `tiercel test`: the test alert through every output of the running daemon. */
import type { TestOutcome } from '../../core/http-server/backend.ts';
import { itemsOf } from '../api.ts';
import { type DaemonOptions, withDaemon } from '../connect.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { painter, span, table, toJsonText, visible } from '../text.ts';

interface TestOptions extends DaemonOptions {
  output?: string;
  json?: boolean;
}

// The daemon gives each output one try with its own timeout; this is only for a daemon that never answers.
const LONGEST_TEST_MS = 300_000;

export function test(options: TestOptions, context: Context): Promise<ExitCode> {
  return withDaemon(options, context, async api => {
    const outcomes = itemsOf<TestOutcome>(
      await api.call('test', {
        method: 'POST',
        body: { output: options.output },
        timeoutMs: LONGEST_TEST_MS,
      }),
    );
    await context.io.print(
      options.json ? `${toJsonText(outcomes, 2)}\n` : render(outcomes, context.io.colours),
    );
    return outcomes.every(outcome => outcome.ok) ? EXIT.ok : EXIT.failure;
  });
}

function render(outcomes: readonly TestOutcome[], colours: boolean): string {
  if (outcomes.length === 0) return 'no output is turned on\n';
  const paint = painter(colours);
  return table(
    ['OUTPUT', 'RESULT', 'TIME', 'ERROR'],
    outcomes.map(outcome => [
      outcome.output,
      outcome.ok ? paint('ok', 'green') : paint('FAIL', 'bold', 'red'),
      span(outcome.durationMs),
      visible(outcome.error ?? ''),
    ]),
    paint,
  );
}
