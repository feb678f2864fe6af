/** Headers that say who sends. */

/** Basic authentication (RFC 7617); no header unless both are set, as in falcosidekick. */
export function basicAuth(user: string, password: string): Record<string, string> {
  if (user === '' || password === '') return {};
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
