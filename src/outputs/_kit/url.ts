/** Addresses. Pure. */

/** A path behind a configured address, which may or may not end with slashes. */
export function joinUrl(address: string, path: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end--;
  return address.slice(0, end) + path;
}
