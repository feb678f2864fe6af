import type { Stage } from './stage.ts';

/** One thing that is measured. */
export interface Scenario {
  name: string;
  /** What happens, in a line. */
  title: string;
  /** Why it cannot be played here; undefined when it can. */
  missing?(): string | undefined;
  /** Runs against Tiercel only: it wants its spool or its form of configuration. */
  tiercelOnly?: true;
  play(stage: Stage): Promise<void>;
}
