/** TLS for outputs that speak their own protocol instead of HTTP. */
import { type ConnectionOptions, createSecureContext, getCACertificates } from 'node:tls';
import type { TlsSettings } from '../../core/contract.ts';

let trusted: string[] | undefined;

/** Node's own list and the machine's: an authority added to the machine counts, as it does for programs in Go. */
function systemAuthorities(): string[] {
  trusted ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
  return trusted;
}

/**
 * Options for `tls.connect`, to be made once per output: reading some hundred authorities takes a while.
 * @throws Error when a certificate or key cannot be read or the two do not belong together
 */
export function toTlsOptions(settings: TlsSettings): ConnectionOptions {
  return {
    secureContext: createSecureContext({
      ca: [...systemAuthorities(), ...(settings.ca ?? [])],
      cert: settings.cert,
      key: settings.key,
    }),
    rejectUnauthorized: settings.verify,
    ...(settings.serverName && { servername: settings.serverName }),
  };
}
