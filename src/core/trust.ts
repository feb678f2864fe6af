/** Whom TLS connections trust. */
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { TlsSettings } from './contract.ts';

let systemTrusted = false;

/**
 * Makes every TLS connection of the process trust the system's certificates (on Linux also `SSL_CERT_FILE` and
 * `SSL_CERT_DIR`) besides Node's own and `NODE_EXTRA_CA_CERTS`. Node alone would ignore an authority that a company
 * has put into its images, which programs in Go, and so falcosidekick, trust. Once for all, because a store of one's
 * own costs each output some 15 ms and 1.5 MiB.
 */
function trustSystem(): void {
  if (systemTrusted) return;
  systemTrusted = true;
  const known = getCACertificates('default');
  const all = [...new Set([...known, ...getCACertificates('system')])];
  if (all.length > known.length) setDefaultCACertificates(all);
}

/** Certificates for a client library that wants the whole list: the system's and the given ones; undefined: the default. */
export function trustedCertificates(settings: Pick<TlsSettings, 'ca'>): string[] | undefined {
  trustSystem();
  return settings.ca && [...getCACertificates('default'), ...settings.ca];
}
