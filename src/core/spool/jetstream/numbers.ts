/** The server's numbers of the stream and its consumers: asked for regularly, and when somebody wants newer ones. */
import type { DropReport } from '../drop-report.ts';
import type { Link, Session } from './link.ts';
import type { Outputs } from './outputs.ts';
import { isMissing } from './setup.ts';
import type { StreamState } from './state.ts';

/** Numbers that are older are asked for anew when somebody wants them. */
const STALE_MS = 200;

export interface NumbersOptions {
  link: Link;
  state: StreamState;
  outputs: Outputs;
  drops: DropReport;
}

export class Numbers {
  readonly #options: NumbersOptions;
  #asking: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: NumbersOptions) {
    this.#options = options;
  }

  /** Asks, unless what is at hand is new. */
  renew(): void {
    if (!this.#isClosed && this.#options.state.ageMs > STALE_MS) this.ask();
  }

  /** Asks, once at a time. */
  ask(): void {
    const { session } = this.#options.link;
    if (!session || this.#asking) return;
    this.#asking = this.#ask(session)
      .catch(error => {
        const { link } = this.#options;
        if (isMissing(error) && link.session === session) link.renew();
      })
      .finally(() => {
        this.#asking = undefined;
      });
  }

  /** Writes to the log what was dropped unread since the last time. */
  tellDrops(): void {
    this.#options.drops.tell();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #ask(session: Session): Promise<void> {
    const { link, state, outputs, drops } = this.#options;
    await state.refresh(session);
    if (outputs.isOutOfStep || state.isCut) return link.renew();
    drops.add(await outputs.refresh(session));
  }
}
