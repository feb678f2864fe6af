/** Alerts one behind the other, for APIs that take JSON by the line. */
import type { Alert } from '../../core/contract.ts';

const NEWLINE = Buffer.from('\n');

/** Each alert's canonical JSON on a line of its own, none behind the last. */
export function toLines(alerts: readonly Alert[]): Buffer {
  return Buffer.concat(alerts.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [NEWLINE, bytes])));
}
