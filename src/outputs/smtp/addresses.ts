/** Addresses of mails as configurations write them. Pure. */
import { domainToASCII } from 'node:url';

export interface Mailbox {
  /** Empty when only the address is given. */
  name: string;
  /** Its domain in ASCII. */
  address: string;
}

// The parts of a list: a quoted name may hold commas.
const ENTRY = /(?:"(?:[^"\\]|\\.)*"|[^,"])+/g;
// `Name <address>`, `"Name" <address>` or the address alone.
const MAILBOX = /^(?:(?:"((?:[^"\\]|\\.)*)"|([^<>"]*?))\s*<\s*([^<>\s]+)\s*>|([^<>\s"]+))$/;
// Signs that neither a header nor a command of SMTP could hold unquoted.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const ADDRESS = /^[^\s<>()[\]\\,;:"@\x00-\x1f\x7f]+(?:@[^\s<>()\\,;"@\x00-\x1f\x7f]+)?$/;

/**
 * Reads a comma list of addresses, with or without names.
 * @throws Error that says what was expected
 */
export function parseMailboxes(text: string): Mailbox[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) throw new Error('expected addresses without line breaks');
  return (text.match(ENTRY) ?? [])
    .map(entry => entry.trim())
    .filter(Boolean)
    .map(entry => {
      const [, quoted, plain, inBrackets, alone] = MAILBOX.exec(entry) ?? [];
      const address = inBrackets ?? alone ?? '';
      if (!ADDRESS.test(address)) throw new Error('expected addresses such as ops@example.com');
      return { name: quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '', address: withAsciiDomain(address) };
    });
}

/** Most servers know domains in ASCII alone. */
function withAsciiDomain(address: string): string {
  const at = address.lastIndexOf('@') + 1;
  const domain = at > 0 ? domainToASCII(address.slice(at)) : '';
  return domain === '' ? address : address.slice(0, at) + domain;
}

/** The domain of an address as a Message-ID can hold it. */
export function domainOf({ address }: Mailbox): string {
  const [, domain] = /@([a-z0-9.-]+)$/i.exec(address) ?? [];
  return domain ?? 'tiercel.invalid';
}
