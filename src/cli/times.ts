/** Points in time as a person gives them. Pure. */
import { parseDate, parseDuration } from '../core/units.ts';
import { CliError, EXIT } from './exit.ts';

/**
 * Reads `1h`, `30m`, `7d` (that long ago) or a date such as `2026-01-31` or `2026-01-31T12:00:00Z`.
 * @returns milliseconds since the epoch
 * @throws CliError (usage) when the text is neither
 */
export function parseMoment(text: string, option: string, now: number): number {
  const span = parseDuration(text.trim().toLowerCase());
  // parseDuration takes a bare number as seconds; here that could also be meant as a year or an epoch.
  if (span !== undefined && /[a-z]$/i.test(text.trim())) return now - span;
  const date = parseDate(text);
  if (date === undefined) {
    throw new CliError(
      EXIT.usage,
      `${option}: expected a time such as 1h, 30m, 7d or 2026-01-31T12:00:00Z, found '${text}'`,
    );
  }
  return date;
}
