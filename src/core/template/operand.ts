/** Operands, commands and pipelines, compiled to functions. */
import type { Operand, Pipe } from './ast.ts';
import { AlertValue } from './data.ts';
import { Fault } from './errors.ts';
import { FUNCTIONS, type TemplateFunction } from './functions.ts';
import type { Run } from './run.ts';
import { Dict, GoValue, isTrue, type Method, typeOf, type Value } from './value.ts';

/** Computes a value from `.`. */
export type Expression = (run: Run, dot: Value) => Value;

/** A command; `piped` holds the result of the one before it, or nothing for the first. */
type Command = (run: Run, dot: Value, piped: readonly Value[]) => Value;

/** An argument: the source, because a literal's type depends on who takes it, and its value otherwise. */
interface Argument {
  operand: Operand;
  value: Expression;
}

const NONE: readonly never[] = [];

/** Compiles a pipeline; it declares its variables when it runs. */
export function compilePipe(pipe: Pipe): Expression {
  const [first, ...rest] = pipe.commands.map(compileCommand);
  const { line, variables, assigns } = pipe;
  return (run, dot) => {
    run.line = line;
    run.budget.spend(1);
    let value = first!(run, dot, NONE) ?? undefined;
    for (const command of rest) {
      run.budget.spend(1);
      value = command(run, dot, [value]) ?? undefined;
    }
    for (const name of variables) {
      if (assigns) run.assign(name, value);
      else run.declare(name, value);
    }
    return value;
  };
}

function compileCommand(words: readonly Operand[]): Command {
  const word = words[0]!;
  const args = words.slice(1).map(operand => ({ operand, value: compileOperand(operand) }));
  switch (word.kind) {
    case 'function':
      return compileCall(word.name, args);
    case 'field':
      return (run, dot, piped) => walk(run, dot, dot, word.path, args, piped);
    case 'variable':
      if (word.path.length === 0) break;
      return (run, dot, piped) => walk(run, dot, run.variable(word.name), word.path, args, piped);
    case 'chain': {
      const base = compileOperand(word.base);
      return (run, dot, piped) => walk(run, dot, base(run, dot), word.path, args, piped);
    }
  }
  const value = compileOperand(word);
  return (run, dot, piped) => {
    if (args.length + piped.length > 0) throw new Fault(`a ${word.kind} takes no arguments`);
    if (word.kind === 'nil') throw new Fault('nil is not a command');
    return value(run, dot);
  };
}

function compileOperand(operand: Operand): Expression {
  switch (operand.kind) {
    case 'dot':
      return (_run, dot) => dot;
    case 'nil':
      return () => undefined;
    case 'boolean':
    case 'string': {
      const { value } = operand;
      return () => value;
    }
    case 'number': {
      const { value } = operand.literal;
      if (value !== undefined) return () => value;
      return () => {
        throw new Fault(`${operand.text} is too big for an int`);
      };
    }
    case 'pipe': {
      const inner = compilePipe(operand.pipe);
      return (run, dot) => run.nested(inner, dot);
    }
    case 'variable':
      if (operand.path.length === 0) return run => run.variable(operand.name);
  }
  const command = compileCommand([operand]);
  return (run, dot) => command(run, dot, NONE);
}

function compileCall(name: string, args: readonly Argument[]): Command {
  // The parser lets only known names through.
  const found = FUNCTIONS.get(name)!;
  if (name === 'and' || name === 'or') {
    return (run, dot, piped) => {
      checkCount(name, args.length + piped.length, found);
      let value: Value;
      for (const arg of args) {
        value = arg.value(run, dot);
        if (isTrue(value) === (name === 'or')) return value;
      }
      return piped.length > 0 ? piped[0] : value;
    };
  }
  return (run, dot, piped) => {
    checkCount(name, args.length + piped.length, found);
    const values = [...args.map(arg => arg.value(run, dot)), ...piped];
    if (found.format && typeof values[0] !== 'string') {
      throw new Fault(`${name} needs a format string first, not ${typeOf(values[0])}`);
    }
    return found.call(values, run.budget);
  };
}

function checkCount(name: string, count: number, { min, max }: TemplateFunction): void {
  if (count < min || count > max) throw new Fault(`${name} got ${count} arguments, needs ${min}`);
}

/** Follows `.A.B.C` from a value; arguments go to the last name, which must then be a method. */
function walk(
  run: Run,
  dot: Value,
  start: Value,
  path: readonly string[],
  args: readonly Argument[],
  piped: readonly Value[],
): Value {
  let value = start;
  for (let i = 0; i < path.length - 1; i++) value = member(run, dot, value, path[i]!, NONE, NONE);
  return member(run, dot, value, path[path.length - 1]!, args, piped);
}

function member(
  run: Run,
  dot: Value,
  owner: Value,
  name: string,
  args: readonly Argument[],
  piped: readonly Value[],
): Value {
  if (owner === undefined) return undefined;
  if (owner === null) throw new Fault(`nil has no field ${name}`);
  const method = owner instanceof GoValue ? owner.method(name) : undefined;
  if (method) return callMethod(run, dot, method, name, args, piped);
  const isMap = owner instanceof Dict;
  if (!isMap && !(owner instanceof AlertValue && owner.hasField(name))) {
    throw new Fault(`type ${typeOf(owner)} has no field ${name}`);
  }
  if (args.length + piped.length > 0) throw new Fault(`${name} is not a method and takes no arguments`);
  return isMap ? owner.get(name) : (owner as AlertValue).field(name);
}

function callMethod(
  run: Run,
  dot: Value,
  method: Method,
  name: string,
  args: readonly Argument[],
  piped: readonly Value[],
): Value {
  const { params } = method;
  if (args.length + piped.length !== params.length) {
    throw new Fault(`${name} got ${args.length + piped.length} arguments, needs ${params.length}`);
  }
  const values = args.map((arg, i) => argumentOf(arg, params[i]!, run, dot));
  for (const value of piped) values.push(ofType(value, params[params.length - 1]!));
  // A layout is work, and what comes out may be longer.
  for (const value of values) if (typeof value === 'string') run.budget.made(value);
  const result = method.call(values);
  return typeof result === 'string' ? run.budget.made(result) : result;
}

/** An argument for a parameter of a Go type: a whole number fits every integer type, other values only their own. */
function argumentOf(arg: Argument, type: string, run: Run, dot: Value): Value {
  if (arg.operand.kind !== 'number') return ofType(arg.value(run, dot), type);
  const { int } = arg.operand.literal;
  if (int === undefined || (type !== 'int' && type !== 'time.Duration')) {
    throw new Fault(`expected ${type}, found ${arg.operand.text}`);
  }
  return int;
}

function ofType(value: Value, type: string): Value {
  if (typeOf(value) !== type) throw new Fault(`expected ${type}, found ${typeOf(value)}`);
  return value;
}
