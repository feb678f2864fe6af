/** What things are called on the server. Everything begins with the name of the stream. */

export interface Names {
  /** Stream of the alerts and the one subject it listens to. */
  alerts: { stream: string; subject: string };
  /** Stream of the dead letters: one subject for each output. */
  dead: { stream: string; subjects: string; subject(output: string): string };
  /** Key-value bucket of the shared rate limits. */
  limits: string;
}

export function namesOf(stream: string): Names {
  return {
    alerts: { stream, subject: `${stream}.alerts` },
    dead: {
      stream: `${stream}-dead`,
      subjects: `${stream}-dead.*`,
      subject: output => `${stream}-dead.${toToken(output)}`,
    },
    limits: `${stream}-limits`,
  };
}

/**
 * An output's id as the name of its consumer and as a token of a subject: letters, digits, `-` and `_` stay, a dot is
 * `=`, the rest is percent-encoded. NATS forbids dots, wildcards, slashes and spaces there.
 */
export function toToken(output: string): string {
  return encodeURIComponent(output)
    .replace(/[!'()*~]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('.', '=');
}

/** The id that `toToken` was given; the token itself when it is none of ours. */
export function fromToken(token: string): string {
  try {
    return decodeURIComponent(token.replaceAll('=', '.'));
  } catch {
    return token;
  }
}
