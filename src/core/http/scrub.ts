/** Keeps credentials out of texts that people and logs get to see. Pure. */

// The scheme's length is limited so that no input makes it slow.
const URL_TEXT = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)(?:[^\s/?#@"'<>]*@)?([^\s/?#"'<>]*)([/?#][^\s"'<>]*)?/gi;

/** Cuts URLs down to scheme and host: chat webhooks and database addresses hold their secret in the rest. */
export function scrubUrls(text: string): string {
  return text.replace(URL_TEXT, (_all, scheme: string, host: string, rest: string | undefined) =>
    rest !== undefined && rest !== '/' ? `${scheme}${host}/…` : `${scheme}${host}`,
  );
}

/** One line of at most `max` characters, without control characters. */
export function oneLine(text: string, max: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const line = text.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  if (line.length <= max) return line;
  const cut = line.slice(0, max - 1);
  return `${/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}
