/**
 * Go's text/template, for the templates that falcosidekick's users have, and `toJson` besides: parsed once, rendered
 * per alert, with bounds on time, depth and size, and no way from a template to anything but its data.
 *
 * Known differences from Go: complex numbers are refused; `printf` knows no `%b` and `%x` of a float64 and no `#` flag
 * of one, and reports a number verb for a whole time or alert as wrong instead of printing its parts; a text cut inside
 * a UTF-8 character shows U+FFFD; a time has the methods of time-value.ts only.
 */
import type { TemplateData } from './data.ts';
import { Fault, TemplateError } from './errors.ts';
import { compileBody } from './exec.ts';
import { FUNCTIONS } from './functions.ts';
import { parse } from './parser.ts';
import { Run } from './run.ts';

export { alertData, fieldsData, type TemplateData } from './data.ts';
export { TemplateError } from './errors.ts';
export { formatGoTime } from './time.ts';

/** A parsed template. */
export interface Template {
  /** As it was given. */
  readonly text: string;
  /**
   * Renders the template over an alert or fields; the same text whenever the data is the same.
   * @throws TemplateError when the template does not fit the data, or a bound is exceeded (see limits.ts)
   */
  render(data: TemplateData): string;
}

/** What is wrong with a text as a template, with the line; undefined when it can be used, as an empty one can. */
export function templateProblem(text: string): string | undefined {
  try {
    parseTemplate(text);
    return undefined;
  } catch (error) {
    return `not a template: ${(error as Error).message}`;
  }
}

/**
 * Parses a template. A mistake that Go finds only when it executes a template is found by `render`.
 * @throws TemplateError with line and reason: unknown function or variable, unclosed action or block, wrong literal
 */
export function parseTemplate(text: string): Template {
  const { main, defined } = parse(text, FUNCTIONS);
  const body = compileBody(main);
  const templates = new Map([...defined].map(([name, nodes]) => [name, compileBody(nodes)] as const));
  return {
    text,
    render(data) {
      const run = new Run(templates, data.root);
      try {
        body(run, data.root);
      } catch (error) {
        if (error instanceof Fault) throw new TemplateError(error.message, run.line, run.output);
        throw error;
      }
      return run.output;
    },
  };
}
