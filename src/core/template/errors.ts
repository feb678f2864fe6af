/** What goes wrong in a template: told to whoever wrote it, with the line. */

/** A template that cannot be used as written, or that could not be rendered for one alert. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  /** 1-based line in the template text. */
  readonly line: number;
  /** The message without the line. */
  readonly reason: string;
  /** What had been rendered before the failure. */
  readonly rendered: string;

  constructor(reason: string, line: number, rendered = '') {
    super(`line ${line}: ${reason}`);
    this.reason = reason;
    this.line = line;
    this.rendered = rendered;
  }
}

/** A failure inside a function or a method, which do not know their line; `render` adds it. */
export class Fault extends Error {
  override readonly name = 'Fault';
}
