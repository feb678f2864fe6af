/** Which partition a record goes to, over all sessions of an output. */
import type { Partition } from './answers.ts';
import type { Balancer } from './balancers.ts';
import type { Outgoing } from './record.ts';

export class Partitions {
  readonly #balance: Balancer;
  /** Those that refused what they were sent last. */
  #refusing: ReadonlySet<number> = new Set();

  constructor(balance: Balancer) {
    this.#balance = balance;
  }

  /** Chooses for those that have no partition yet; at least one partition has a leader. */
  assign(records: readonly Outgoing[], partitions: readonly Partition[]): void {
    const ascending = partitions.toSorted((a, b) => a.partitionId - b.partitionId);
    const all = ascending.map(({ partitionId }) => partitionId);
    const led = ascending.filter(({ leader }) => leader >= 0).map(({ partitionId }) => partitionId);
    const willing = led.filter(partition => !this.#refusing.has(partition));
    const open = willing.length > 0 ? willing : led;
    for (const record of records)
      record.partition ??= this.#balance(record.key, record.value.length, all, open);
  }

  /** What refused its records is left out of the next choice, so that those that are tried again get through. */
  refusedBy(partitions: Iterable<number>): void {
    this.#refusing = new Set(partitions);
  }
}
