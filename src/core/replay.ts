/**
 * Alerts that were sent, or given up, before as deliveries for another round. A replay lives in memory: it does not go
 * on after a restart. Retries and their waits are the worker's.
 */
import type { Alert } from './alert.ts';
import type { Clock } from './contract.ts';
import type { DeadLetter, DeadLetterFilter, DeadLetters, Delivery, Entry } from './spool/contract.ts';

/** Letters read at once. */
const PAGE = 500;

/** Dead letters that fit, newest first, read page by page. */
export async function* allLetters(box: DeadLetters, filter: DeadLetterFilter): AsyncGenerator<DeadLetter> {
  let { before } = filter;
  let left = filter.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    const page = await box.list({ ...filter, before, limit: Math.min(PAGE, left) });
    yield* page;
    left -= page.length;
    before = page.at(-1)?.id;
    if (before === undefined) return;
  }
}

/** Dead letters; one goes when its output has accepted it, and stays when it was given up again. */
export async function* replayLetters(
  letters: AsyncIterable<DeadLetter>,
  box: DeadLetters,
  clock: Clock,
): AsyncGenerator<Delivery> {
  for await (const { id, alert } of letters) {
    yield new ReplayDelivery(id, alert, clock.now(), {
      // A letter that cannot be removed now is sent once more by the next replay.
      accepted: () => void box.remove({ ids: [id] }).catch(() => undefined),
      refused: async () => {},
    });
  }
}

/** A piece of the log; what is given up on the way becomes a dead letter of the output. */
export async function* replayEntries(
  output: string,
  entries: AsyncIterable<Entry>,
  box: DeadLetters,
  clock: Clock,
): AsyncGenerator<Delivery> {
  for await (const { offset, alert } of entries) {
    yield new ReplayDelivery(offset, alert, clock.now(), {
      accepted: () => {},
      refused: async error => {
        const reason = 'reason' in error ? String(error.reason) : 'other';
        await box.add({ output, alert, error: error.message, reason, attempts: 1, buriedAt: clock.now() });
      },
    });
  }
}

interface Outcome {
  accepted(): void;
  refused(error: Error): Promise<void>;
}

class ReplayDelivery implements Delivery {
  readonly offset: number;
  readonly appendedAt: number;
  readonly alert: Alert;
  readonly attempt = 1;
  readonly #outcome: Outcome;

  constructor(offset: number, alert: Alert, startedAt: number, outcome: Outcome) {
    this.offset = offset;
    // The age limits of a delivery count from the replay on, not from the day the alert came in.
    this.appendedAt = startedAt;
    this.alert = alert;
    this.#outcome = outcome;
  }

  ack(): void {
    this.#outcome.accepted();
  }

  retry(): void {}

  bury(error: Error): Promise<void> {
    return this.#outcome.refused(error);
  }
}
