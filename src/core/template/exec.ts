/** Nodes, compiled to functions: a template is compiled once and rendered often. */
import type { Branch, Node, Pipe } from './ast.ts';
import { Fault } from './errors.ts';
import { compilePipe, type Expression } from './operand.ts';
import type { Body, Flow, Run } from './run.ts';
import { asInt, Dict, Int, isTrue, List, typeOf, type Value } from './value.ts';

/** Compiles a list of nodes. */
export function compileBody(nodes: readonly Node[]): Body {
  const steps = nodes.map(compileNode);
  if (steps.length === 1) return steps[0]!;
  return (run, dot) => {
    for (const step of steps) {
      const flow = step(run, dot);
      if (flow !== 'next') return flow;
    }
    return 'next';
  };
}

function compileNode(node: Node): Body {
  switch (node.kind) {
    case 'text':
      return (run): Flow => {
        run.write(node.text);
        return 'next';
      };
    case 'action':
      return compileAction(node.pipe);
    case 'if':
    case 'with':
      return compileBranches(node.kind, node.branches, node.otherwise);
    case 'range':
      return compileRange(node.pipe, node.body, node.otherwise);
    case 'template':
      return compileTemplate(node.name, node.line, node.pipe);
    case 'break':
    case 'continue': {
      const { kind } = node;
      return () => kind;
    }
  }
}

function compileAction(pipe: Pipe): Body {
  const value = compilePipe(pipe);
  const silent = pipe.variables.length > 0;
  return (run, dot) => {
    const result = value(run, dot);
    if (!silent) run.print(result);
    return 'next';
  };
}

function compileBranches(
  kind: 'if' | 'with',
  branches: readonly Branch[],
  otherwise?: readonly Node[],
): Body {
  const compiled = branches.map(branch => ({
    value: compilePipe(branch.pipe),
    body: compileBody(branch.body),
  }));
  const last = otherwise && compileBody(otherwise);
  return (run, dot) => {
    const mark = run.mark;
    let flow: Flow | undefined;
    for (const { value, body } of compiled) {
      const result = value(run, dot);
      if (!isTrue(result)) continue;
      flow = run.nested(body, kind === 'with' ? result : dot);
      break;
    }
    if (!flow) flow = last ? run.nested(last, dot) : 'next';
    run.forget(mark);
    return flow;
  };
}

function compileTemplate(name: string, line: number, pipe: Pipe | undefined): Body {
  const value: Expression = pipe ? compilePipe(pipe) : () => undefined;
  return (run, dot) => {
    run.line = line;
    run.budget.spend(1);
    run.call(name, value(run, dot));
    return 'next';
  };
}

/** Does one turn of a loop; true when the loop is to stop. */
type Turn = (index: Value, item: Value) => boolean;

function compileRange(pipe: Pipe, bodyNodes: readonly Node[], otherwise?: readonly Node[]): Body {
  const value = compilePipe(pipe);
  const body = compileBody(bodyNodes);
  const last = otherwise && compileBody(otherwise);
  return (run, dot) => {
    const mark = run.mark;
    const subject = value(run, dot);
    const inner = run.mark;
    const some = eachItem(subject, pipe, run, (index, item) => {
      run.budget.spend(1);
      setLoopVariables(run, pipe, index, item);
      const flow = run.nested(body, item);
      run.forget(inner);
      return flow === 'break';
    });
    const flow = some || !last ? 'next' : run.nested(last, dot);
    run.forget(mark);
    return flow;
  };
}

/** With one variable it takes the item; with two, the index and the item. */
function setLoopVariables(run: Run, { variables, assigns }: Pipe, index: Value, item: Value): void {
  const [first, second] = variables;
  if (first === undefined) return;
  if (assigns) {
    run.assign(first, second === undefined ? item : index);
    if (second !== undefined) run.assign(second, item);
  } else {
    run.setFromTop(1, item);
    if (second !== undefined) run.setFromTop(2, index);
  }
}

/** Calls back for each item; false when there is none. */
function eachItem(subject: Value, pipe: Pipe, run: Run, turn: Turn): boolean {
  if (subject === undefined) return false;
  if (subject instanceof List) {
    for (let i = 0; i < subject.length; i++) if (turn(BigInt(i), subject.at(i))) break;
    return subject.length > 0;
  }
  if (subject instanceof Dict) {
    run.budget.spend(subject.keys.length >> 4);
    for (const key of subject.keys) if (turn(key, subject.get(key))) break;
    return subject.keys.length > 0;
  }
  const count = asInt(subject);
  if (count === undefined) throw new Fault(`range cannot go over a value of type ${typeOf(subject)}`);
  if (pipe.variables.length > 1) throw new Fault('range over a number has only one variable');
  for (let i = 0n; i < count; i++) {
    if (turn(undefined, subject instanceof Int ? new Int(subject.intType, i) : i)) break;
  }
  return count > 0n;
}
