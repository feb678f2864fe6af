/**
 * Makes control characters visible. What an alert says comes from the watched machines: a process may be named so
 * that it moves the cursor or renames the window of whoever reads it. Bidirectional marks could turn text round. Pure.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    char => `\\x${char.codePointAt(0)!.toString(16).padStart(2, '0')}`,
  );
}

/** The same for JSON, which lets some of them stand as they are: it stays JSON, and says the same. */
export function visibleJson(text: string): string {
  return text.replace(
    /[\x7f-\x9f\p{Bidi_Control}\u2028\u2029]/gu,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
