/** A place in a list of tokens. */
import { TemplateError } from './errors.ts';
import type { Token, TokenType } from './lexer.ts';
import { MAX_NESTING } from './limits.ts';

export class Cursor {
  readonly #tokens: readonly Token[];
  #nesting = 0;
  /** Index of the next token; may be set back. */
  position = 0;

  /** @param tokens ends with one of type `end`, behind which nobody reads */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next token, spaces too. */
  peek(): Token {
    return this.#tokens[this.position]!;
  }

  /** Takes the next token, spaces too. */
  next(): Token {
    const token = this.peek();
    if (token.type !== 'end') this.position++;
    return token;
  }

  /** The next token that is no space. */
  peekWord(): Token {
    while (this.peek().type === 'space') this.position++;
    return this.peek();
  }

  /** Takes the next token that is no space. */
  nextWord(): Token {
    this.peekWord();
    return this.next();
  }

  /** The token before the next. */
  get previous(): Token {
    return this.#tokens[this.position - 1] ?? this.peek();
  }

  /** Takes a token of a type. @throws TemplateError when another one comes */
  expect(type: TokenType, context: string): Token {
    const token = this.nextWord();
    if (token.type !== type) throw this.unexpected(token, context);
    return token;
  }

  /** Whether a keyword comes at once. */
  isAt(keyword: string): boolean {
    const { type, text } = this.peek();
    return type === 'keyword' && text === keyword;
  }

  /** Goes one level deeper; `leave` comes back. @throws TemplateError beyond the bound */
  enter(): void {
    if (++this.#nesting > MAX_NESTING) throw this.error(`nested deeper than ${MAX_NESTING} levels`);
  }

  leave(): void {
    this.#nesting--;
  }

  unexpected(token: Token, context: string): TemplateError {
    const { type, text, line } = token;
    const found = type === 'close' ? '}}' : type === 'end' ? 'the end' : JSON.stringify(text);
    return new TemplateError(`unexpected ${found} in ${context}`, line);
  }

  /** An error at the token that was taken last. */
  error(reason: string): TemplateError {
    return new TemplateError(reason, this.previous.line);
  }
}
