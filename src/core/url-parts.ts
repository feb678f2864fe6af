/** Parts of addresses: hosts, and texts that are percent-encoded there. Pure. */

/** A host as the network wants it: an IPv6 address without its brackets. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

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

/**
 * What falcosidekick pastes into an address as it is written may be percent-encoded already, and has to be there where it
 * holds a separator: escapes stay. Encoded is what cannot stand there as it is.
 */
const encodeExcept = (legal: RegExp) => (text: string) =>
  text
    .toWellFormed()
    .replace(/%[0-9a-f]{2}|[^%]|%/giu, part =>
      part.length === 3 && part.startsWith('%') ? part : legal.test(part) ? part : encodeURIComponent(part),
    );

/** A setting as one segment of a path: RFC 3986, section 3.3, `pchar`. */
export const toPathSegment = encodeExcept(/^[\w.~!$&'()*+,;=:@-]$/);

/** A setting as a value of a query (RFC 3986, section 3.4). `+` stays: it stands for a blank there. */
export const toQueryValue = encodeExcept(/^[\w.~!$'()*+,;:@/?-]$/);

/** A setting that ends a path or a query, and may go on with more of it: `_doc?refresh=true`, `falco&rp=weekly`. */
export const toUrlTail = encodeExcept(/^[\w.~!$&'()*+,;=:@/?-]$/);
