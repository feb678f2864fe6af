/** A parsed template. */
import type { NumberLiteral } from './literals.ts';

/** What stands between `{{` and `}}`, and the text around it. */
export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipe: Pipe }
  | { kind: 'if' | 'with'; branches: Branch[]; otherwise: Node[] | undefined }
  | { kind: 'range'; pipe: Pipe; body: Node[]; otherwise: Node[] | undefined }
  | { kind: 'template'; name: string; line: number; pipe: Pipe | undefined }
  | { kind: 'break' | 'continue' };

/** One `if` or `else if` of a chain. */
export interface Branch {
  pipe: Pipe;
  body: Node[];
}

/** Commands joined by `|`, with the variables that take the result. */
export interface Pipe {
  line: number;
  variables: string[];
  /** `=` rather than `:=`. */
  assigns: boolean;
  /** Each command is a word and its arguments; never empty. */
  commands: Operand[][];
}

/** One word of a command. */
export type Operand =
  | { kind: 'dot' }
  | { kind: 'nil' }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'string'; value: string }
  | { kind: 'number'; text: string; literal: NumberLiteral }
  | { kind: 'field'; path: string[] }
  | { kind: 'variable'; name: string; path: string[] }
  | { kind: 'function'; name: string }
  | { kind: 'pipe'; pipe: Pipe }
  | { kind: 'chain'; base: Operand; path: string[] };
