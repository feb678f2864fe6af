/**
 * Alerts that were sent, or given up, before, for another round. A replay lives in memory: it does not go
 * on after a restart. Retries and their waits are the worker's.
 */
import type { Alert } from './alert/alert.ts';
import type { Clock } from './contract.ts';
import { MAX_REPLAY_BYTES } from './delivery/limits.ts';
import type { Replayable } from './delivery/replay.ts';
import type { DeadLetter, DeadLetters, Entry } from './spool/contract.ts';
import { letterOf } from './spool/letters/letter.ts';

/** Dead letters; one goes when its output has accepted it, and stays when it was given up again. */
export async function* replayLetters(
  letters: AsyncIterable<DeadLetter>,
  box: DeadLetters,
  clock: Clock,
): AsyncGenerator<Replayable> {
  const room = new Room();
  for await (const { id, alert } of letters) {
    await room.take(alert);
    yield new ReplayedAlert(id, alert, clock.now(), room, {
      // A letter that cannot be removed now is sent once more by the next replay.
      accepted: () => void box.remove({ ids: [id] }).catch(() => undefined),
      refused: undefined,
    });
  }
}

/** A piece of the log; what is given up on the way becomes a dead letter of the output. */
export async function* replayEntries(
  output: string,
  entries: AsyncIterable<Entry>,
  box: DeadLetters,
  clock: Clock,
): AsyncGenerator<Replayable> {
  const room = new Room();
  for await (const { offset, alert } of entries) {
    await room.take(alert);
    yield new ReplayedAlert(offset, alert, clock.now(), room, {
      accepted: () => {},
      refused: async error => {
        await box.add(letterOf(output, { alert, attempt: 1 }, error, clock));
      },
    });
  }
}

/** Holds the source back while its alerts under way come to too much; one of them may always go. */
class Room {
  #bytes = 0;
  #wake: (() => void) | undefined;

  async take({ bytes }: Alert): Promise<void> {
    while (this.#bytes > 0 && this.#bytes + bytes.length > MAX_REPLAY_BYTES) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
    this.#bytes += bytes.length;
  }

  give({ bytes }: Alert): void {
    this.#bytes -= bytes.length;
    this.#wake?.();
  }
}

interface Outcome {
  accepted(): void;
  /** Makes a dead letter of it; undefined for what is one already. */
  refused: ((error: Error) => Promise<void>) | undefined;
}

class ReplayedAlert implements Replayable {
  readonly offset: number;
  readonly alert: Alert;
  readonly startedAt: number;
  attempt = 1;
  readonly isLetter: boolean;
  readonly #room: Room;
  readonly #outcome: Outcome;

  constructor(offset: number, alert: Alert, startedAt: number, room: Room, outcome: Outcome) {
    this.offset = offset;
    this.alert = alert;
    this.startedAt = startedAt;
    this.isLetter = outcome.refused === undefined;
    this.#room = room;
    this.#outcome = outcome;
  }

  ack(): void {
    this.#room.give(this.alert);
    this.#outcome.accepted();
  }

  async bury(error: Error): Promise<void> {
    await this.#outcome.refused?.(error);
    this.#room.give(this.alert);
  }
}
