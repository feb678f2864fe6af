/** `host:port` as configurations write it. Pure. */

export interface HostPort {
  /** A name or an address; an IPv6 address without its brackets. */
  host: string;
  port: number;
}

/**
 * Reads `host:port`, `[::1]:port`; without a port it is the default one.
 * @throws Error that says what was expected
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme) throw new Error(`expected host:port, found ${scheme[0]} in front`);
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:/@\s[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = v6 ?? name;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port === undefined || port < 1 || port > 65535) {
    throw new Error('expected host:port');
  }
  return { host, port };
}

/** What is wrong with a host alone, under that key. */
export function hostProblems(path: string, host: string): { path: string; message: string; hint: string }[] {
  if (/^[^\s/@]+$/.test(host) && !/^[^:]*:\d+$/.test(host)) return [];
  const message = 'expected a host name or an IP address';
  return [{ path, message, hint: 'the port has a key of its own' }];
}
