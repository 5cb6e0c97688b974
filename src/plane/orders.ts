// What is asked of an execution from outside: in words, so that they can reach its owner through the store, and what the owner makes of
// them. Whoever owns it answers the same, whether it was asked by this process or by another.
import type { Json } from "../core/json.ts";
import { PlaneError } from "../errors.ts";
import type { Execution, Resolution } from "../ports/plane.ts";
import type { Handler } from "./intents.ts";
import type { AnyMachine, Answer } from "./machine.ts";
import type { Checked } from "./payload-check.ts";
import { storedJson } from "./stored-json.ts";

export type Order =
  | { verb: "cancel" }
  | { verb: "retry" }
  | { verb: "resolve"; resolution: Resolution }
  | { verb: "signal"; name: string; payload?: Json };

export type Ask = (machine: AnyMachine, state: unknown) => Answer;

/** An order in the inbox of its execution. */
export interface Asked {
  /** In the words of an error: `cancel`. */
  verb: string;
  ask: Ask;
  resolve(execution: Execution): void;
  reject(error: Error): void;
  /** Where whoever asked finds the answer, which is written with what it brings about. */
  answer?: AnswerPlace;
}

/** An entry that must not be there yet: whoever gives up asking takes its place. */
export interface AnswerPlace {
  key: string;
  expiresAtMs: number;
}

/** Rejects with `invalid` for the payload of a signal that is not what its saga takes. */
export async function askOf(order: Order, handler: Handler | undefined): Promise<Ask> {
  switch (order.verb) {
    case "cancel":
      return (machine, state) => machine.cancel(state);
    case "retry":
      return (machine, state) => machine.resolve(state, { action: "retry" });
    case "resolve":
      return (machine, state) => machine.resolve(state, order.resolution);
    case "signal": {
      const { name, payload } = order;
      const check = handler?.signals.get(name);
      const value = check
        ? storedJson(accepted(await check(payload ?? null, "payload"), `the signal "${name}"`))
        : payload;
      const given = { name, ...(value !== undefined && { payload: value }) };
      return (machine, state) => machine.signal(state, given);
    }
    default:
      return order satisfies never;
  }
}

export function accepted(checked: Checked, what: string): unknown {
  if ("value" in checked) return checked.value;
  const { problems } = checked;
  const words = problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new PlaneError("invalid", `cannot take the payload of ${what}: ${words}`, { errors: problems });
}

export const refusal = (verb: string, execution: string, reason: string): PlaneError =>
  new PlaneError("conflict", `cannot ${verb} "${execution}": ${reason}`);

/** That an order was done, or why not, as it stands in the store. */
export const storedAnswer = (refused?: PlaneError): Json =>
  refused ? { problem: refused.problem, message: refused.message, errors: refused.errors as Json } : {};

/** What the owner refused it with. */
export function refusedBy(answer: Json): PlaneError | undefined {
  const { problem, message, errors } = answer as Partial<Pick<PlaneError, "problem" | "message" | "errors">>;
  return problem && new PlaneError(problem, message ?? "", errors ? { errors } : {});
}

/** Nothing of an order was done: whoever owns the execution by now can be asked. */
export class Elsewhere extends PlaneError {
  constructor(execution: string) {
    super("conflict", `cannot go on with "${execution}": it runs elsewhere by now; ask again`);
  }
}
