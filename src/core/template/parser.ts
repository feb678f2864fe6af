/** Tokens → tree, by the grammar of Go's text/template. What Go finds when it parses is found here. */
import type { Branch, Node } from './ast.ts';
import { Cursor } from './cursor.ts';
import { TemplateError } from './errors.ts';
import { lex } from './lexer.ts';
import { type FunctionNames, PipeParser } from './pipe-parser.ts';

/** A template's own text and the named templates it defines. */
export interface ParsedTemplate {
  main: Node[];
  defined: ReadonlyMap<string, Node[]>;
}

/**
 * Parses a template.
 * @param functions the names that may be called
 * @throws TemplateError with the line of the first mistake
 */
export function parse(text: string, functions: FunctionNames): ParsedTemplate {
  return new Parser(new Cursor(lex(text)), functions).run();
}

/** What closes a list of nodes. */
type ListEnd = 'end' | 'else';

class Parser {
  readonly #cursor: Cursor;
  readonly #pipes: PipeParser;
  readonly #defined = new Map<string, Node[]>();
  #rangeDepth = 0;

  constructor(cursor: Cursor, functions: FunctionNames) {
    this.#cursor = cursor;
    this.#pipes = new PipeParser(cursor, functions);
  }

  run(): ParsedTemplate {
    const cursor = this.#cursor;
    const main: Node[] = [];
    while (cursor.peek().type !== 'end') {
      const start = cursor.position;
      const isOpen = cursor.next().type === 'open';
      cursor.peekWord();
      if (isOpen && cursor.isAt('define')) {
        cursor.next();
        this.#definition();
        continue;
      }
      cursor.position = start;
      const node = this.#textOrAction();
      if (typeof node === 'string') throw cursor.error(`{{${node}}} without a block that it belongs to`);
      main.push(node);
    }
    return { main, defined: this.#defined };
  }

  #definition(): void {
    const name = this.#name('define');
    this.#cursor.expect('close', '{{define}}');
    this.#define(name);
  }

  /** Parses the body of `define` or `block`, which sees no variables and no loop from outside. */
  #define(name: string): void {
    const { variables } = this.#pipes;
    const rangeDepth = this.#rangeDepth;
    this.#pipes.variables = ['$'];
    this.#rangeDepth = 0;
    const body: Node[] = [];
    if (this.#list(body) !== 'end') throw this.#cursor.error(`unexpected {{else}} in template "${name}"`);
    this.#pipes.variables = variables;
    this.#rangeDepth = rangeDepth;
    const known = this.#defined.get(name);
    if (!known || isBlank(known)) this.#defined.set(name, body);
    else if (!isBlank(body)) throw this.#cursor.error(`template "${name}" is defined twice`);
  }

  /** Fills a list up to its `end` or `else`. */
  #list(into: Node[]): ListEnd {
    const { line } = this.#cursor.previous;
    this.#cursor.enter();
    while (this.#cursor.peekWord().type !== 'end') {
      const node = this.#textOrAction();
      if (typeof node === 'string') {
        this.#cursor.leave();
        return node;
      }
      into.push(node);
    }
    throw new TemplateError('a block is not closed; expected {{end}}', line);
  }

  #textOrAction(): Node | ListEnd {
    const token = this.#cursor.nextWord();
    if (token.type === 'text') return { kind: 'text', text: token.text };
    if (token.type !== 'open') throw this.#cursor.unexpected(token, 'the template');
    return this.#action();
  }

  #action(): Node | ListEnd {
    const cursor = this.#cursor;
    const { type, text, line } = cursor.peekWord();
    if (type !== 'keyword') return { kind: 'action', pipe: this.#pipes.pipe('an action') };
    cursor.next();
    switch (text) {
      case 'if':
      case 'with':
        return this.#branches(text);
      case 'range':
        return this.#range();
      case 'template':
        return this.#template(line);
      case 'block':
        return this.#block(line);
      case 'break':
      case 'continue':
        cursor.expect('close', `{{${text}}}`);
        if (this.#rangeDepth === 0) throw cursor.error(`{{${text}}} outside {{range}}`);
        return { kind: text };
      case 'end':
        cursor.expect('close', '{{end}}');
        return 'end';
      case 'else':
        cursor.peekWord();
        // The keyword behind it is for the block to take.
        if (!cursor.isAt('if') && !cursor.isAt('with')) cursor.expect('close', '{{else}}');
        return 'else';
      default:
        throw cursor.error(`{{${text}}} is only allowed outside of other blocks`);
    }
  }

  #branches(kind: 'if' | 'with'): Node {
    const outerVariables = this.#pipes.variables.length;
    const branches: Branch[] = [];
    let otherwise: Node[] | undefined;
    for (;;) {
      const branch: Branch = { pipe: this.#pipes.pipe(kind), body: [] };
      branches.push(branch);
      if (this.#list(branch.body) === 'end') break;
      if (this.#cursor.isAt(kind)) {
        this.#cursor.next();
        continue;
      }
      otherwise = this.#otherwise();
      break;
    }
    this.#pipes.variables.length = outerVariables;
    return { kind, branches, otherwise };
  }

  #range(): Node {
    const outerVariables = this.#pipes.variables.length;
    const pipe = this.#pipes.pipe('range');
    const body: Node[] = [];
    this.#rangeDepth++;
    const end = this.#list(body);
    this.#rangeDepth--;
    const otherwise = end === 'else' ? this.#otherwise() : undefined;
    this.#pipes.variables.length = outerVariables;
    return { kind: 'range', pipe, body, otherwise };
  }

  #otherwise(): Node[] {
    const nodes: Node[] = [];
    if (this.#list(nodes) !== 'end') throw this.#cursor.error('expected {{end}}, found a second {{else}}');
    return nodes;
  }

  #template(line: number): Node {
    const name = this.#name('template');
    const bare = this.#cursor.peekWord().type === 'close';
    if (bare) this.#cursor.next();
    return { kind: 'template', name, line, pipe: bare ? undefined : this.#pipes.pipe('template') };
  }

  #block(line: number): Node {
    const name = this.#name('block');
    const pipe = this.#pipes.pipe('block');
    this.#define(name);
    return { kind: 'template', name, line, pipe };
  }

  #name(context: string): string {
    return this.#pipes.text(this.#cursor.expect('string', `{{${context}}}, which needs a quoted name`));
  }
}

/** Whether a body holds nothing but space: such a definition may be overridden. */
function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every(node => node.kind === 'text' && node.text.trim() === '');
}
