/** Addresses, and settings within them. Pure. */

/** A path behind a configured address; there is one slash between them, however many both have there. */
export function joinUrl(address: string, path: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end--;
  const base = address.slice(0, end);
  return path === '' || path.startsWith('?') ? base + path : `${base}/${path.replace(/^\/+/, '')}`;
}
