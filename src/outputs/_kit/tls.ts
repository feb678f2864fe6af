/** TLS for outputs that speak their own protocol instead of HTTP. */
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { TlsSettings } from '../../core/contract.ts';
import { trustedCertificates } from '../../core/trust.ts';

/**
 * Options for `tls.connect`, to be made once per output: reading some hundred authorities takes a while.
 * @throws Error when a certificate or key cannot be read or the two do not belong together
 */
export function toTlsOptions(settings: TlsSettings): ConnectionOptions {
  return {
    secureContext: createSecureContext({
      ca: trustedCertificates(settings),
      cert: settings.cert,
      key: settings.key,
    }),
    rejectUnauthorized: settings.verify,
    ...(settings.serverName && { servername: settings.serverName }),
  };
}
