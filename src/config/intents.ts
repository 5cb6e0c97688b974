// Intents as they are written, turned into sagas: a definition to decide by, and the calls behind its steps. Reports what goes wrong on
// the way; the rules of a definition itself are those of `saga-definition.ts`.
import { acceptSpan, acceptSpans } from "./accept.ts";
import type { CallConfig, IntentConfig, StepCalls } from "./config.ts";
import type { RawBranch, RawCall, RawIntent, RawSagaStep } from "./intents-schema.ts";
import { isMap, type Path } from "./path.ts";
import {
  type SagaDefinition,
  type SagaNode,
  type SagaProblem,
  sagaProblems,
  STEP_DEFAULTS,
  type StepNode,
} from "./saga-definition.ts";

export interface IntentScope {
  /** There is a plane to carry them out. */
  plane: boolean;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

export function resolveIntents(
  intents: Readonly<Record<string, RawIntent>>,
  scope: IntentScope,
): readonly IntentConfig[] {
  if (Object.keys(intents).length > 0 && !scope.plane) {
    scope.report(["intents"], "there is no plane to carry them out: add `plane: {}`", "key");
  }
  return Object.entries(intents).map(([type, raw]) => resolveIntent(type, raw, scope));
}

/** A node, and where it stands. */
interface Placed {
  node: SagaNode;
  path: Path;
}

function resolveIntent(type: string, { input, saga }: RawIntent, { report }: IntentScope): IntentConfig {
  const path = ["intents", type];
  if (input !== undefined && typeof input !== "boolean" && !isMap(input)) {
    report([...path, "input"], "expected a JSON Schema: a map, or true or false");
  }
  const calls = new Map<string, StepCalls>();
  const steps = saga.steps.flatMap((step, index): Placed[] => {
    const at = [...path, "saga", "steps", index];
    const node = resolveStep(step, { at, calls, report });
    return node ? [{ node, path: at }] : [];
  });
  const definition: SagaDefinition = {
    name: type,
    version: saga.version,
    ...(input !== undefined && { input }),
    ...(saga.timeout !== undefined && { timeoutMs: saga.timeout }),
    nodes: steps.map(({ node }) => node),
  };
  // A step of no kind has been reported, and the saga has fewer nodes for it.
  const isWhole = steps.length === saga.steps.length;
  for (const problem of sagaProblems(definition)) {
    if (problem.path.length > 1 || problem.path[0] === "name" || isWhole) {
      report(written(problem, { path, steps }), problem.message, problem.path.length > 1 ? "value" : "key");
    }
  }
  return { definition, calls };
}

/** Where the files say what a definition has at a path. */
function written({ path: [part, index, ...rest] }: SagaProblem, at: { path: Path; steps: Placed[] }): Path {
  if (part === "name") return at.path;
  const step = typeof index === "number" ? at.steps[index] : undefined;
  if (!step) return [...at.path, "saga", "steps"];
  return [...step.path, ...rest.map((key) => (key === "branches" ? "parallel" : key))];
}

interface StepScope extends Pick<IntentScope, "report"> {
  at: Path;
  calls: Map<string, StepCalls>;
}

const KINDS = ["execute", "parallel", "signal", "sleep"] as const;
const CALL_KEYS = ["compensate", "verify", "retry", "inDoubt", "pivot"] as const;

function resolveStep(step: RawSagaStep, scope: StepScope): SagaNode | undefined {
  const { at, report } = scope;
  const kinds = KINDS.filter((kind) => step[kind] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const actual = kind === undefined ? "none of them" : kinds.join(" and ");
    report(at, `a step has one of ${KINDS.join(", ")}; got ${actual}`, "key");
    return undefined;
  }
  refuseKeys(step, kind, scope);
  const { name = "", parallel, signal, sleep, timeout } = step;
  if (signal !== undefined) {
    return { type: "signal", name, signal, ...(timeout !== undefined && { timeoutMs: timeout }) };
  }
  if (sleep !== undefined) return { type: "sleep", name, delayMs: sleep };
  if (parallel === undefined) return resolveCall(step, scope);
  const branches = parallel.map((branch, index) => {
    const path = [...at, "parallel", index];
    if (branch.execute === undefined) report(path, "a step of a parallel group needs `execute`", "key");
    return resolveCall(branch, { ...scope, at: path });
  });
  return { type: "parallel", branches };
}

function refuseKeys(step: RawSagaStep, kind: (typeof KINDS)[number], { at, report }: StepScope): void {
  if (kind === "execute") return;
  for (const key of CALL_KEYS) {
    if (step[key] === undefined) continue;
    report([...at, key], `\`${key}\` is for a step with \`execute\`: leave it out`, "key");
  }
  if (kind === "parallel" && step.name !== undefined) {
    report([...at, "name"], "a parallel group has no name, its steps have: leave it out", "key");
  }
  if (kind !== "signal" && step.timeout !== undefined) {
    report([...at, "timeout"], "`timeout` is for a step with `execute` or `signal`: leave it out", "key");
  }
}

const DEFAULT = {
  timeoutMs: acceptSpan(STEP_DEFAULTS.timeout) ?? 0,
  attempts: STEP_DEFAULTS.attempts,
  backoff: acceptSpans(STEP_DEFAULTS.backoff) ?? { minMs: 0, maxMs: 0 },
};

function resolveCall(branch: RawBranch, scope: StepScope): StepNode {
  const { name = "", execute, compensate, verify, timeout, pivot = false } = branch;
  const { attempts, backoff } = branch.retry ?? DEFAULT;
  if (execute) {
    scope.calls.set(name, {
      execute: callOf(execute, "execute", scope),
      ...(compensate && { compensate: callOf(compensate, "compensate", scope) }),
      ...(verify && { verify: callOf(verify, "verify", scope) }),
    });
  }
  return {
    type: "step",
    name,
    compensable: compensate !== undefined,
    verifiable: verify !== undefined,
    pivot,
    timeoutMs: timeout ?? DEFAULT.timeoutMs,
    retry: { attempts, ...backoff },
    inDoubt: branch.inDoubt ?? STEP_DEFAULTS.inDoubt,
  };
}

const HEADER = /^[!#$%&'*+.^_`|~\w-]+$/;
const SET_BY_US =
  /^(idempotency-key|haraka-.*|traceparent|host|content-(length|type)|transfer-encoding|connection)$/i;

function callOf(
  { url, method, headers = {} }: RawCall,
  what: keyof StepCalls,
  { at, report }: StepScope,
): CallConfig {
  for (const [name, value] of Object.entries(headers)) {
    const path = [...at, what, "headers", name];
    if (SET_BY_US.test(name)) report(path, `the runtime sets \`${name}\` by itself: leave it out`, "key");
    else if (!HEADER.test(name)) report(path, `"${name}" cannot be the name of a header`, "key");
    if (/[\r\n]/.test(value)) report(path, "a header is one line");
  }
  return { url, method, headers };
}
