import type { LoadPhase } from './load.ts';
import type { Stage } from './stage.ts';

/** A load that can go on for as long as one likes. */
export interface Steady {
  /** Opens the sinks, starts the daemon and warms it up. */
  open(stage: Stage): Promise<unknown>;
  load: Partial<LoadPhase>;
}

/** One thing that is measured. */
export interface Scenario {
  name: string;
  /** What happens, in a line. */
  title: string;
  /** Why it cannot be played here; undefined when it can. */
  missing?(): string | undefined;
  /** Runs against Tiercel only: it wants its spool or its form of configuration. */
  tiercelOnly?: true;
  /** For `--turns`. */
  steady?: Steady;
  play(stage: Stage): Promise<void>;
}
