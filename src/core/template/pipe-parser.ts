/** Parses pipelines: declarations, commands and operands. */
import type { Operand, Pipe } from './ast.ts';
import type { Cursor } from './cursor.ts';
import type { Token, TokenType } from './lexer.ts';
import { parseNumber, unquote, unquoteCharacter } from './literals.ts';

/** The names that a template may call. */
export interface FunctionNames {
  has(name: string): boolean;
}

const OPERANDS = new Set<TokenType>([
  'boolean',
  'character',
  'dot',
  'field',
  'identifier',
  'leftParen',
  'nil',
  'number',
  'string',
  'variable',
]);

export class PipeParser {
  readonly #cursor: Cursor;
  readonly #functions: FunctionNames;
  /** Names of the variables in sight, innermost last. */
  variables = ['$'];

  constructor(cursor: Cursor, functions: FunctionNames) {
    this.#cursor = cursor;
    this.#functions = functions;
  }

  /** Parses up to and including the token that ends the pipeline. `context` is for errors, and tells a range. */
  pipe(context: string, end: 'close' | 'rightParen' = 'close'): Pipe {
    const cursor = this.#cursor;
    const pipe: Pipe = { line: cursor.peekWord().line, variables: [], assigns: false, commands: [] };
    this.#declarations(pipe, context);
    while (cursor.peekWord().type !== end) {
      if (!OPERANDS.has(cursor.peek().type)) throw cursor.unexpected(cursor.peek(), context);
      pipe.commands.push(this.#command());
    }
    cursor.next();
    if (pipe.commands.length === 0) throw cursor.error(`a value is missing in ${context}`);
    for (const [word] of pipe.commands.slice(1)) {
      if (word && ['boolean', 'dot', 'nil', 'number', 'string'].includes(word.kind)) {
        throw cursor.error('only a function or method can stand behind |');
      }
    }
    return pipe;
  }

  /** Reads the quoted text of a string token. */
  text(token: Token): string {
    const text = unquote(token.text);
    if (text === undefined) throw this.#cursor.error('a quoted text with an escape that Go does not know');
    return text;
  }

  /** Reads `$x :=`, `$x =`, or `$i, $x :=` of a range; leaves alone a variable that is only used. */
  #declarations(pipe: Pipe, context: string): void {
    const cursor = this.#cursor;
    while (cursor.peekWord().type === 'variable') {
      const start = cursor.position;
      const name = cursor.next().text;
      const { type, text } = cursor.peekWord();
      const isComma = type === 'mark' && text === ',';
      if (!isComma && type !== 'assign' && type !== 'declare') {
        cursor.position = start;
        return;
      }
      cursor.next();
      pipe.variables.push(name);
      this.variables.push(name);
      if (!isComma) {
        pipe.assigns = type === 'assign';
        return;
      }
      if (context !== 'range' || pipe.variables.length > 1) {
        throw cursor.error(`too many variables in ${context}`);
      }
      if (!['variable', 'close', 'rightParen'].includes(cursor.peekWord().type)) {
        throw cursor.error('expected a second variable behind the comma');
      }
    }
  }

  /** Words with spaces between them, up to and including a `|`, or up to the end of the pipeline. */
  #command(): Operand[] {
    const cursor = this.#cursor;
    const words: Operand[] = [];
    for (;;) {
      const operand = this.#operand();
      if (operand) words.push(operand);
      const token = cursor.peek();
      if (token.type === 'close' || token.type === 'rightParen') break;
      cursor.next();
      if (token.type === 'pipe') break;
      if (token.type !== 'space') throw cursor.unexpected(token, 'a command');
    }
    if (words.length === 0) throw cursor.error('an empty command');
    return words;
  }

  /** A term and the fields that follow it without a space; undefined when no operand comes. */
  #operand(): Operand | undefined {
    const term = this.#term();
    if (!term) return undefined;
    const path: string[] = [];
    while (this.#cursor.peek().type === 'field') path.push(this.#cursor.next().text);
    if (path.length === 0) return term;
    switch (term.kind) {
      case 'field':
      case 'variable':
        return { ...term, path: [...term.path, ...path] };
      case 'function':
      case 'pipe':
        return { kind: 'chain', base: term, path };
      default:
        throw this.#cursor.error(`a ${term.kind} has no field ${path[0]}`);
    }
  }

  #term(): Operand | undefined {
    const cursor = this.#cursor;
    if (!OPERANDS.has(cursor.peekWord().type)) return undefined;
    const token = cursor.next();
    switch (token.type) {
      case 'identifier':
        if (!this.#functions.has(token.text)) throw cursor.error(`function "${token.text}" is not defined`);
        return { kind: 'function', name: token.text };
      case 'dot':
      case 'nil':
        return { kind: token.type };
      case 'variable':
        if (!this.variables.includes(token.text)) {
          throw cursor.error(`variable "${token.text}" is not defined`);
        }
        return { kind: 'variable', name: token.text, path: [] };
      case 'field':
        return { kind: 'field', path: [token.text] };
      case 'boolean':
        return { kind: 'boolean', value: token.text === 'true' };
      case 'string':
        return { kind: 'string', value: this.text(token) };
      case 'leftParen': {
        cursor.enter();
        const pipe = this.pipe('parentheses', 'rightParen');
        cursor.leave();
        return { kind: 'pipe', pipe };
      }
      default:
        return this.#number(token);
    }
  }

  #number(token: Token): Operand {
    const { text } = token;
    if (token.type === 'character') {
      const code = unquoteCharacter(text);
      if (code === undefined) throw this.#cursor.error(`${text} is not one character`);
      const value = BigInt(code);
      return { kind: 'number', text, literal: { value, int: value } };
    }
    const literal = parseNumber(text);
    if (!literal) throw this.#cursor.error(`bad number ${text}`);
    return { kind: 'number', text, literal };
  }
}
