// What a saga is made of, whoever wrote it: steps, parallel steps, waits for a signal and sleeps, with their policies; and the rules
// a definition has to keep. It holds no function and no URL, and the core decides by it alone.

export interface SagaDefinition {
  /** The type of the intent that it carries out, as `order.place`. */
  name: string;
  version: string;
  /** What describes the payload: a JSON Schema or a zod schema. Nothing here looks into it. */
  input?: unknown;
  /** From its start; absent: it may take as long as it likes. */
  timeoutMs?: number;
  nodes: readonly SagaNode[];
}

export type SagaNode = StepNode | ParallelNode | SignalNode | SleepNode;

/** What happens when nobody knows whether a call had its effect: call again with the same key, ask, or leave it to an operator. */
export type InDoubtPolicy = "idempotent" | "verify" | "manual";

export interface StepNode {
  type: "step";
  name: string;
  /** There is something that undoes it. */
  compensable: boolean;
  /** It can be asked whether it is done. */
  verifiable: boolean;
  /** After it there is no way back. */
  pivot: boolean;
  /** One call may take so long. */
  timeoutMs: number;
  /** The wait before a further attempt doubles from `minMs` to `maxMs`, a random part of what is above `minMs` is waited. */
  retry: { attempts: number; minMs: number; maxMs: number };
  inDoubt: InDoubtPolicy;
}

/** Steps that run at the same time, and are undone at the same time. */
export interface ParallelNode {
  type: "parallel";
  branches: readonly StepNode[];
}

export interface SignalNode {
  type: "signal";
  /** Of the step. */
  name: string;
  /** Of what it waits for. */
  signal: string;
  timeoutMs?: number;
}

export interface SleepNode {
  type: "sleep";
  name: string;
  delayMs: number;
}

/** What a step is that says nothing else of itself, as it would be written. */
export const STEP_DEFAULTS = {
  timeout: "30s",
  attempts: 5,
  backoff: "100ms..5s",
  inDoubt: "idempotent",
} as const;

const STEPS_MAX = 1000;
export const ATTEMPTS_MAX = 1000;
const NAME = /^[A-Za-z][\w.-]{0,127}$/;
const NAME_RULE = "a name starts with a letter and has up to 128 letters, digits, `.`, `_` and `-`";

/** A rule that a definition breaks, at a path within it. */
export interface SagaProblem {
  path: (string | number)[];
  message: string;
}

/** Every rule that a definition breaks; none: it can be run. */
export function sagaProblems({ name, nodes }: SagaDefinition): SagaProblem[] {
  const problems: SagaProblem[] = [];
  if (!NAME.test(name)) {
    problems.push({ path: ["name"], message: `cannot name a saga "${name}": ${NAME_RULE}` });
  }
  const steps = placed(nodes);
  if (steps.length === 0) problems.push({ path: ["nodes"], message: "there is no step: add one" });
  if (steps.length > STEPS_MAX) {
    problems.push({ path: ["nodes"], message: `expected at most ${STEPS_MAX} steps, got ${steps.length}` });
  }
  for (const [index, node] of nodes.entries()) {
    if (node.type === "parallel" && node.branches.length === 0) {
      problems.push({ path: ["nodes", index, "branches"], message: "there is no step in it: add one" });
    }
  }
  return [...problems, ...nameProblems(steps), ...policyProblems(steps)];
}

interface Placed {
  node: Exclude<SagaNode, ParallelNode>;
  path: (string | number)[];
  parallel: boolean;
}

function placed(nodes: readonly SagaNode[]): Placed[] {
  return nodes.flatMap((node, index): Placed[] => {
    const path = ["nodes", index];
    if (node.type !== "parallel") return [{ node, path, parallel: false }];
    return node.branches.map((branch, place) => ({
      node: branch,
      path: [...path, "branches", place],
      parallel: true,
    }));
  });
}

function nameProblems(steps: readonly Placed[]): SagaProblem[] {
  const names = new Set<string>();
  return steps.flatMap(({ node: { name }, path }) => {
    const isSecond = names.has(name);
    names.add(name);
    const reason = !NAME.test(name) ? NAME_RULE : isSecond && "another one has this name";
    return reason ? [{ path: [...path, "name"], message: `cannot name a step "${name}": ${reason}` }] : [];
  });
}

function policyProblems(steps: readonly Placed[]): SagaProblem[] {
  const problems: SagaProblem[] = [];
  let pivot: string | undefined;
  for (const { node, path, parallel } of steps) {
    if (node.type !== "step") continue;
    if (node.inDoubt === "verify" && !node.verifiable) {
      const message = "`verify` needs something to ask: add `verify` to the step";
      problems.push({ path: [...path, "inDoubt"], message });
    }
    const { attempts } = node.retry;
    if (!Number.isInteger(attempts) || attempts < 1 || attempts > ATTEMPTS_MAX) {
      const message = `expected a whole number from 1 to ${ATTEMPTS_MAX}, got ${attempts}`;
      problems.push({ path: [...path, "retry", "attempts"], message });
    }
    if (!node.pivot) continue;
    const reason = parallel
      ? "it is in a parallel group, whose steps may have to be undone together: put it after the group"
      : pivot !== undefined && `"${pivot}" is the pivot already, and there is one at most`;
    if (reason) {
      problems.push({ path: [...path, "pivot"], message: `"${node.name}" cannot be the pivot: ${reason}` });
    }
    pivot ??= node.name;
  }
  return problems;
}
