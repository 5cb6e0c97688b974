// A saga's definition as the machine and the plane look at it: its steps by name, what goes into its hash, and the keys its calls
// carry. What a definition is and which rules it keeps stands in `config/saga-definition.ts`; nothing here hashes.
import type { SagaDefinition, SagaNode, StepNode } from "../config/saga-definition.ts";
import { keyOf } from "./key.ts";

/** Everything with a name, in order. */
export type NamedNode = Exclude<SagaNode, { type: "parallel" }>;

export function namedNodes({ nodes }: SagaDefinition): NamedNode[] {
  return nodes.flatMap((node): readonly NamedNode[] => (node.type === "parallel" ? node.branches : [node]));
}

const steps = new WeakMap<SagaDefinition, Map<string, StepNode>>();

/** The step of this name. Expects one that is there: its name comes from the log of the same definition. */
export function stepNode(definition: SagaDefinition, name: string): StepNode {
  let byName = steps.get(definition);
  if (byName === undefined) {
    const named = namedNodes(definition).filter((node) => node.type === "step");
    byName = new Map(named.map((node) => [node.name, node]));
    steps.set(definition, byName);
  }
  const node = byName.get(name);
  if (node === undefined) throw new Error(`internal: the saga "${definition.name}" has no step "${name}"`);
  return node;
}

/**
 * What a definition is told apart by, always the same text for the same definition: name, version, timeout, and of each step name,
 * kind, place and policies. Never function text, URLs or the schema of the payload: a saga that runs goes on after those change.
 */
export function canonicalText({ name, version, timeoutMs, nodes }: SagaDefinition): string {
  return JSON.stringify(["saga", 1, name, version, timeoutMs ?? null, nodes.map(canonicalNode)]);
}

function canonicalNode(node: SagaNode): unknown {
  switch (node.type) {
    case "step": {
      const { name, compensable, verifiable, pivot, timeoutMs, retry, inDoubt } = node;
      const { attempts, minMs, maxMs } = retry;
      return ["step", name, compensable, verifiable, pivot, timeoutMs, [attempts, minMs, maxMs], inDoubt];
    }
    case "parallel":
      return ["parallel", node.branches.map(canonicalNode)];
    case "signal":
      return ["signal", node.name, node.signal, node.timeoutMs ?? null];
    case "sleep":
      return ["sleep", node.name, node.delayMs];
    default:
      return node satisfies never;
  }
}

/** What a call is for. */
export type Direction = "execute" | "compensate" | "verify";

/**
 * The `Idempotency-Key` of a call: the same for every attempt and every owner. Who verifies asks after an execution, and so carries
 * the key of that.
 */
export function idempotencyKey(
  execution: string,
  { step, direction }: { step: string; direction: Direction },
): string {
  return keyOf(execution, step, direction === "verify" ? "execute" : direction);
}
