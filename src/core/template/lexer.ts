/** Template text → tokens, by the rules of Go's text/template. */
import { TemplateError } from './errors.ts';

export type TokenType =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'leftParen'
  | 'rightParen'
  | 'string'
  | 'character'
  | 'number'
  | 'boolean'
  | 'nil'
  | 'dot'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'mark'
  | 'end';

/** A piece of a template. `text` is the source, but trimmed for `text` and without its dot for `field`. */
export interface Token {
  type: TokenType;
  text: string;
  line: number;
}

const KEYWORDS = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
]);

const SPACES = /[ \t\r\n]+/y;
const WORD = /[_\p{L}\p{Nd}]+/uy;
const QUOTED = /"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"/y;
const RAW = /`[^`]*`/y;
const CHARACTER = /'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*'/y;
// Takes more than the numbers that exist; the parser refuses the rest.
const NUMBER =
  /[+-]?(?:0[xX][\da-fA-F_]*(?:\.[\da-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*|0[bB][01_]*|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)i?/y;

/**
 * Splits a template into tokens; comments are dropped, the trim markers `{{-` and `-}}` applied.
 * @throws TemplateError for an unclosed action, comment, text or parenthesis, and for what is no token
 */
export function lex(text: string): Token[] {
  return new Lexer(text).run();
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #pos = 0;
  #line = 1;
  /** The next newline not counted yet; negative when there is none. */
  #newline: number;

  constructor(text: string) {
    this.#text = text;
    this.#newline = text.indexOf('\n');
  }

  run(): Token[] {
    for (;;) {
      const open = this.#text.indexOf('{{', this.#pos);
      if (open < 0) break;
      const trim = this.#text[open + 2] === '-' && isSpace(this.#text[open + 3]);
      this.#pushText(trim ? this.#withoutTrailingSpace(open) : open);
      this.#pos = open + (trim ? 4 : 2);
      if (this.#text.startsWith('/*', this.#pos)) this.#comment();
      else {
        this.#push('open', open, open + 2);
        this.#action();
      }
    }
    this.#pushText(this.#text.length);
    this.#push('end', this.#text.length, this.#text.length);
    return this.#tokens;
  }

  #withoutTrailingSpace(end: number): number {
    let at = end;
    while (at > this.#pos && isSpace(this.#text[at - 1])) at--;
    return at;
  }

  #pushText(end: number): void {
    if (end > this.#pos) this.#push('text', this.#pos, end);
  }

  #comment(): void {
    const end = this.#text.indexOf('*/', this.#pos + 2);
    if (end < 0) throw this.#error('a comment is not closed');
    this.#pos = end + 2;
    if (!this.#takeClose()) throw this.#error('a comment must end with */}}');
  }

  #action(): void {
    const line = this.#line;
    let parens = 0;
    for (;;) {
      const start = this.#pos;
      if (this.#takeClose()) {
        if (parens > 0) throw this.#error('a parenthesis is not closed');
        this.#push('close', start, start);
        return;
      }
      const char = this.#text[start];
      if (char === undefined) throw new TemplateError('an action is not closed; expected }}', line);
      if (char === '(') parens++;
      if (char === ')' && --parens < 0) throw this.#error('a closing parenthesis without an opening one');
      this.#push(this.#token(char), start, this.#pos);
    }
  }

  /** Moves behind one token and tells its type. */
  #token(char: string): TokenType {
    if (this.#match(SPACES)) {
      // The last space belongs to a trimming end.
      if (this.#closesAt(this.#pos - 1)) this.#pos--;
      return 'space';
    }
    switch (char) {
      case '=':
        return this.#take('assign', 1);
      case ':':
        if (this.#text[this.#pos + 1] !== '=') throw this.#error('expected := after a colon');
        return this.#take('declare', 2);
      case '|':
        return this.#take('pipe', 1);
      case '(':
        return this.#take('leftParen', 1);
      case ')':
        return this.#take('rightParen', 1);
      case '"':
        return this.#literal('string', QUOTED);
      case '`':
        return this.#literal('string', RAW);
      case "'":
        return this.#literal('character', CHARACTER);
      case '$':
        this.#pos++;
        if (!this.#atTerminator()) this.#word();
        return 'variable';
      case '.':
        if (isDigit(this.#text[this.#pos + 1])) return this.#number();
        this.#pos++;
        if (this.#atTerminator()) return 'dot';
        this.#word();
        return 'field';
    }
    if (isDigit(char) || char === '+' || char === '-') return this.#number();
    const start = this.#pos;
    if (matches(WORD, this.#text, start)) {
      this.#word();
      return wordType(this.#text.slice(start, this.#pos));
    }
    if (char > ' ' && char < '\x7f') return this.#take('mark', 1);
    throw this.#error('a character that has no meaning inside {{ }}');
  }

  #word(): void {
    this.#match(WORD);
    if (!this.#atTerminator()) {
      throw this.#error(`unexpected ${JSON.stringify(this.#text[this.#pos])} behind a name`);
    }
  }

  #number(): TokenType {
    const start = this.#pos;
    this.#match(NUMBER);
    const next = this.#text[this.#pos];
    if (matches(WORD, this.#text, this.#pos) || next === '+' || next === '-') {
      throw this.#error(`bad number ${JSON.stringify(this.#text.slice(start, this.#pos + 1))}`);
    }
    return 'number';
  }

  #literal(type: TokenType, pattern: RegExp): TokenType {
    if (!this.#match(pattern)) throw this.#error('a quoted text is not closed');
    return type;
  }

  #take(type: TokenType, length: number): TokenType {
    this.#pos += length;
    return type;
  }

  #match(pattern: RegExp): boolean {
    if (!matches(pattern, this.#text, this.#pos)) return false;
    this.#pos = pattern.lastIndex;
    return true;
  }

  /** Whether a name may end here. */
  #atTerminator(): boolean {
    const char = this.#text[this.#pos];
    return (
      char === undefined || isSpace(char) || '.,|:()'.includes(char) || this.#text.startsWith('}}', this.#pos)
    );
  }

  #closesAt(at: number): boolean {
    return isSpace(this.#text[at]) && this.#text.startsWith('-}}', at + 1);
  }

  #takeClose(): boolean {
    if (this.#closesAt(this.#pos)) {
      this.#pos += 4;
      this.#match(SPACES);
      return true;
    }
    if (!this.#text.startsWith('}}', this.#pos)) return false;
    this.#pos += 2;
    return true;
  }

  #push(type: TokenType, start: number, end: number): void {
    const line = this.#lineAt(start);
    this.#tokens.push({ type, text: this.#text.slice(type === 'field' ? start + 1 : start, end), line });
  }

  /** The line of a position; positions must not go back beyond the last newline passed. */
  #lineAt(position: number): number {
    while (this.#newline >= 0 && this.#newline < position) {
      this.#line++;
      this.#newline = this.#text.indexOf('\n', this.#newline + 1);
    }
    return this.#line;
  }

  #error(reason: string): TemplateError {
    return new TemplateError(reason, this.#lineAt(this.#pos));
  }
}

function wordType(word: string): TokenType {
  if (KEYWORDS.has(word)) return 'keyword';
  if (word === 'nil') return 'nil';
  return word === 'true' || word === 'false' ? 'boolean' : 'identifier';
}

function matches(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\r' || char === '\n';
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= '0' && char <= '9';
}
