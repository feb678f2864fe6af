/** Whether a text looks as keys and certificates do. OpenSSL takes authorities without any in silence, and trusts nobody then. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}
