/** `tiercel dead`: the alerts that outputs gave up, and what can be done with them. */
import { type JsonObject, parseExact } from '../../core/alert/json.ts';
import { itemsOf } from '../api.ts';
import { type DaemonOptions, withDaemon } from '../connect.ts';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Context } from '../io.ts';
import { count, painter, priorityColours, shorten, table, timestamp, toJsonText, visible } from '../text.ts';
import { parseMoment } from '../times.ts';

interface FilterOptions extends DaemonOptions {
  id?: number[];
  output?: string;
  rule?: string;
  since?: string;
  json?: boolean;
}

type AlertJson = JsonObject & { rule: string; priority: string };

/** An item of `GET /api/v1/dead-letters`. */
export interface LetterItem {
  id: number;
  output: string;
  alert: AlertJson;
  error: string;
  reason: string;
  attempts: number;
  buriedAt: number;
}

type ListOptions = FilterOptions & { limit?: number };

export async function deadList(options: ListOptions, context: Context): Promise<ExitCode> {
  const { io } = context;
  const { letters, total } = await findLetters(options, context);
  await io.print(
    options.json ? `${toJsonText(letters, 2)}\n` : renderLetters(letters, io.colours, io.columns),
  );
  if (!options.json && letters.length < total) {
    io.note(`${letters.length} of ${total}; --limit and the filters show others\n`);
  }
  return EXIT.ok;
}

interface Letters {
  letters: LetterItem[];
  total: number;
}

async function findLetters(options: ListOptions, context: Context): Promise<Letters> {
  const filter = toFilter(options);
  try {
    return await withDaemon(options, context, async api => {
      const answer = await api.call<{ total: number }>('dead-letters', {
        query: { ...filter, limit: options.limit },
      });
      return { letters: itemsOf<LetterItem>(answer), total: answer.total };
    });
  } catch (error) {
    // As in connect(): a configuration that is named wins over the variable.
    const { url = options.configFile === undefined ? context.env.TIERCEL_URL || undefined : undefined } =
      options;
    const isGone = error instanceof CliError && error.exitCode === EXIT.unreachable;
    const stored = isGone && url === undefined ? await storedLetters(options, context) : undefined;
    if (!stored) throw error;
    return stored;
  }
}

async function storedLetters(options: ListOptions, { env, io }: Context): Promise<Letters | undefined> {
  const [{ readConfig }, { readDeadLetters }] = await Promise.all([
    import('../../configuration.ts'),
    import('../dead-letter-file.ts'),
  ]);
  const { spool } = readConfig({ file: options.configFile, env });
  const { id: ids, ...filter } = toFilter(options);
  const stored = await readDeadLetters(spool, { ...filter, ids, limit: options.limit });
  if (!stored) return undefined;
  io.note(`no daemon answers; these are read from ${spool.path}\n`);
  const letters = stored.letters.map(letter => ({
    ...letter,
    alert: parseExact(letter.alert.json) as AlertJson,
  }));
  return { letters, total: stored.total };
}

export function deadReplay(options: FilterOptions, context: Context): Promise<ExitCode> {
  const filter = toFilter(options);
  return withDaemon(options, context, async api => {
    const answer = await api.call<{ queued: number; skipped?: number }>('dead-letters/replay', {
      method: 'POST',
      body: filter,
    });
    const { queued, skipped = 0 } = answer;
    const left = skipped > 0 ? `, ${skipped} left as they are: their output is not running` : '';
    await report(options, context, answer, `${count(queued, 'dead letter')} queued to be sent again${left}`);
    return skipped > 0 ? EXIT.failure : EXIT.ok;
  });
}

/** Removes for good; without a filter only when `--all` says so. */
export function deadPurge(options: FilterOptions & { all?: boolean }, context: Context): Promise<ExitCode> {
  const filter = toFilter(options);
  const filtered = Object.values(filter).some(value => value !== undefined);
  if (filtered && options.all) {
    throw new CliError(EXIT.usage, '--all goes alone: leave it out, or --id, --output, --rule and --since');
  }
  if (!filtered && !options.all) {
    throw new CliError(
      EXIT.usage,
      'say which dead letters go with --id, --output, --rule or --since, or --all for every one',
    );
  }
  return withDaemon(options, context, async api => {
    const query = filtered ? filter : { all: true };
    const answer = await api.call<{ removed: number }>('dead-letters', { method: 'DELETE', query });
    await report(options, context, answer, `${count(answer.removed, 'dead letter')} removed`);
    return EXIT.ok;
  });
}

function report(options: FilterOptions, { io }: Context, answer: unknown, sentence: string): Promise<void> {
  return io.print(`${options.json ? JSON.stringify(answer) : sentence}\n`);
}

function toFilter({ id, output, rule, since }: FilterOptions) {
  return {
    id,
    output,
    rule,
    since: since === undefined ? undefined : parseMoment(since, '--since', Date.now()),
  };
}

/** Dead letters as a table, newest first. */
export function renderLetters(
  letters: readonly LetterItem[],
  colours: boolean,
  columns: number | undefined,
): string {
  if (letters.length === 0) return 'no dead letters\n';
  const paint = painter(colours);
  // What is left of the line after id, time, output, priority and tries goes to rule and error.
  const room = columns === undefined ? 500 : Math.max(20, Math.floor((columns - 60) / 2));
  return table(
    ['ID', 'GIVEN UP', 'OUTPUT', 'TRIES', 'PRIORITY', 'RULE', 'ERROR'],
    letters.map(letter => [
      String(letter.id),
      timestamp(letter.buriedAt),
      visible(letter.output),
      String(letter.attempts),
      paint(visible(letter.alert.priority), ...priorityColours(letter.alert.priority)),
      shorten(visible(letter.alert.rule), room),
      shorten(visible(`${letter.reason}: ${letter.error}`), room),
    ]),
    paint,
  );
}
