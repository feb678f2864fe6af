/** Names of objects in stores of files. Pure. */

/**
 * falcosidekick's name for the object of an alert, `falco/2026-01-31/2026-01-31T12:00:00.123456789Z.json`, with the time
 * of sending; always nine decimals, so that names sort as the times do.
 * @param now milliseconds since the epoch
 * @param share what sets objects of one millisecond apart, 0 up to 1
 */
export function alertObjectName(prefix: string, now: number, share: number): string {
  const time = new Date(now).toISOString();
  const digits = String(Math.floor(share * 1_000_000)).padStart(6, '0');
  const folder = prefix.replace(/^\/+|\/+$/g, '');
  return `${folder && `${folder}/`}${time.slice(0, 10)}/${time.slice(0, -1)}${digits}Z.json`;
}

/** A share for the name above that is an alert's own. */
export function shareOf(uuid: string): number {
  return (Number.parseInt(uuid.slice(-8), 16) || 0) / 0x1_0000_0000;
}
