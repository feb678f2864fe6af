/** Shared access signatures of Event Hubs: learn.microsoft.com/rest/api/eventhub/generate-sas-token. Pure. */
import { createHmac } from 'node:crypto';

/** What a connection string says. */
export interface Connection {
  /** `namespace.servicebus.windows.net`. */
  host: string;
  keyName: string;
  key: string;
  /** The event hub; empty for a string of the namespace. */
  entity: string;
}

/** A token lives long enough for any clock that is not badly wrong. */
const LIFETIME_SECONDS = 3600;

/** `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`; undefined when the text is not such a string. */
export function parseConnection(text: string): Connection | undefined {
  const parts = new Map<string, string>();
  for (const part of text.split(';')) {
    // Keys are base64 and end with the sign that stands between name and value.
    const at = part.indexOf('=');
    if (at > 0) parts.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim());
  }
  const endpoint = URL.parse(parts.get('endpoint')?.replace(/^sb:/, 'https:') ?? '');
  const keyName = parts.get('sharedaccesskeyname');
  const key = parts.get('sharedaccesskey');
  if (!endpoint?.host || !keyName || !key) return undefined;
  return { host: endpoint.host, keyName, key, entity: parts.get('entitypath') ?? '' };
}

/**
 * The value of the Authorization header for an event hub.
 * @param now milliseconds since the epoch
 */
export function toSignature({ host, keyName, key }: Connection, hub: string, now: number): string {
  const resource = encodeURIComponent(`https://${host}/${hub}`);
  const expires = Math.floor(now / 1000) + LIFETIME_SECONDS;
  const signature = createHmac('sha256', key).update(`${resource}\n${expires}`).digest('base64');
  const named = encodeURIComponent(keyName);
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expires}&skn=${named}`;
}
