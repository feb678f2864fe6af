/** Percent-encoding in addresses and headers. Pure. */

/**
 * Decoded as far as it is percent-encoded UTF-8. What is no escape stands for itself, such as a lone `%` in a password:
 * parsers of URLs leave it, and escape other characters beside it.
 */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%[0-9a-f]{2}(?:%[89ab][0-9a-f])*/gi, escaped => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}
