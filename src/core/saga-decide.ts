// What a saga does next, given its state, its definition and the time: what is appended now, which calls go out once that is durable,
// and when to look again. It never makes a call and never waits; run it again after every event and at `wakeAtMs`.
import type { SagaDefinition, SagaNode, SignalNode, SleepNode, StepNode } from "../config/saga-definition.ts";
import { fold, isEnded, type SagaEnd, type SagaState } from "./saga.ts";
import { stepNode } from "./saga-definition.ts";
import type { SagaEvent } from "./saga-event.ts";
import { callId, outcome, type Call } from "./saga-outcome.ts";
import { isActive, isStuck, isToBeUndone } from "./saga-step.ts";

export interface DecideOptions {
  nowMs: number;
  /** From 0 up to, not including, 1. */
  random: number;
  /** Ids of the calls that this process has under way. A call that the log has and this set has not was lost with its process. */
  inFlight: ReadonlySet<string>;
}

export interface Decision {
  append: readonly SagaEvent[];
  /** The state with these appended: it holds once they are durable. */
  state: SagaState;
  /** To go out once what is appended is durable. From then on they are in flight. */
  calls: readonly Call[];
  /** In flight, and of no use any more: abort them. What they give is still an outcome. */
  abort: readonly string[];
  /** When to look again, if nothing happens before. */
  wakeAtMs?: number;
  /** It has come to its end, or goes on only when told to. */
  done?: SagaEnd | "parked";
}

interface Turn extends DecideOptions {
  definition: SagaDefinition;
  state: SagaState;
  append: SagaEvent[];
  calls: Call[];
  abort: string[];
  wakeAtMs: number;
}

/**
 * One turn of a saga. Its state is `log.reduce(fold, INITIAL)`. What drives it appends `append`, and once that is durable takes
 * `state` for the state, makes `calls` and has them in flight. When a call comes back, what `outcome` gives and what the turn after it
 * gives go into one append: `decide(events.reduce(fold, state), …)`. The same holds of what `saga-command.ts` gives. An append that is
 * not acknowledged, or refused, ends the state in memory: fold the log anew.
 */
export function decide(state: SagaState, definition: SagaDefinition, options: DecideOptions): Decision {
  const turn: Turn = { ...options, definition, state, append: [], calls: [], abort: [], wakeAtMs: Infinity };
  if (state.status === "running" || state.status === "compensating") {
    missLost(turn);
    fireTimeout(turn);
    if (!turn.state.undoing) goForward(turn);
    if (turn.state.undoing && !isEnded(turn.state)) goBack(turn);
  }
  const { status } = turn.state;
  const isDone = status !== "pending" && status !== "running" && status !== "compensating";
  const isWaiting = !isDone && turn.wakeAtMs < Infinity;
  return {
    append: turn.append,
    state: turn.state,
    calls: turn.calls,
    abort: turn.abort,
    ...(isWaiting && { wakeAtMs: turn.wakeAtMs }),
    ...(isDone && { done: status }),
  };
}

function emit(turn: Turn, ...events: readonly SagaEvent[]): void {
  for (const event of events) turn.state = fold(turn.state, event);
  turn.append.push(...events);
}

function wakeAt(turn: Turn, timeMs: number): void {
  turn.wakeAtMs = Math.min(turn.wakeAtMs, timeMs);
}

function isAway(turn: Turn, call: Omit<Call, "timeoutMs">): boolean {
  return turn.inFlight.has(callId(call));
}

const LOST = {
  type: "unknown",
  lost: true,
  error: { message: "the process that made the call has ended", reason: "interrupted" },
} as const;

/** Takes the outcome of every call that the log has and this process has not for unknown. */
function missLost(turn: Turn): void {
  for (const [step, { phase, attempts, undoAttempts }] of turn.state.steps) {
    if (phase !== "running" && phase !== "compensating") continue;
    const isForward = phase === "running";
    const call = {
      step,
      direction: isForward ? ("execute" as const) : ("compensate" as const),
      attempt: isForward ? attempts : undoAttempts,
    };
    if (isAway(turn, call)) continue;
    const { nowMs, random } = turn;
    emit(turn, ...outcome(turn.state, turn.definition, { call, result: LOST, nowMs, random }));
  }
}

/** The saga's timeout ends at the pivot. */
function fireTimeout(turn: Turn): void {
  const { timeoutAtMs, pivot, undoing } = turn.state;
  if (timeoutAtMs === undefined || pivot !== undefined || undoing) return;
  if (turn.nowMs >= timeoutAtMs) emit(turn, { type: "timer_fired", payload: { dueAtMs: timeoutAtMs } });
  else wakeAt(turn, timeoutAtMs);
}

function goForward(turn: Turn): void {
  for (const node of turn.definition.nodes) {
    const isPast = advance(turn, node);
    if (turn.state.undoing) return;
    if (!isPast) return park(turn);
  }
  emit(turn, { type: "saga_completed", payload: {} });
}

/** Moves on what has come to be due in a node; true once the saga is past it. */
function advance(turn: Turn, node: SagaNode): boolean {
  switch (node.type) {
    case "step":
      return advanceStep(turn, node);
    case "parallel":
      // Every one of them gets its turn.
      return node.branches.map((branch) => advanceStep(turn, branch)).every(Boolean);
    case "signal":
      return advanceSignal(turn, node);
    case "sleep":
      return advanceSleep(turn, node);
    default:
      return node satisfies never;
  }
}

function advanceStep(turn: Turn, node: StepNode): boolean {
  const step = turn.state.steps.get(node.name);
  if (step === undefined) start(turn, node, 1);
  else if (step.phase === "completed" || step.phase === "skipped") return true;
  else if (step.phase === "verifying") ask(turn, node);
  else if (step.phase === "backoff") {
    if (turn.nowMs >= step.retryAtMs) start(turn, node, step.attempts + 1);
    else wakeAt(turn, step.retryAtMs);
  }
  return false;
}

function start(turn: Turn, { name, pivot, timeoutMs }: StepNode, attempt: number): void {
  const payload = { attempt, ...(pivot && { pivot }) };
  emit(turn, { type: "step_started", step: name, payload });
  turn.calls.push({ step: name, direction: "execute", attempt, timeoutMs });
}

/** Asks whether a step in doubt is done. */
function ask(turn: Turn, { name, timeoutMs }: StepNode): void {
  const step = turn.state.steps.get(name);
  if (step?.phase !== "verifying") return;
  const call = { step: name, direction: "verify" as const, attempt: step.asked + 1 };
  if (isAway(turn, call)) return;
  if (turn.nowMs >= step.askAtMs) turn.calls.push({ ...call, timeoutMs });
  else wakeAt(turn, step.askAtMs);
}

function advanceSignal(turn: Turn, { name, signal, timeoutMs }: SignalNode): boolean {
  const before = turn.state.steps.get(name);
  if (before?.phase === "completed" || before?.phase === "skipped") return true;
  if (before?.phase === "stuck") return false;
  if (before?.phase !== "waiting") startWaiting(turn, name, timeoutMs);
  const step = turn.state.steps.get(name);
  if (step?.phase !== "waiting") throw new Error(`internal: "${name}" is ${step?.phase}, not waiting`);
  const attempt = step.attempts;
  const [output] = turn.state.signals.get(signal) ?? [];
  if (output !== undefined) {
    emit(turn, { type: "step_completed", step: name, payload: { attempt, output, signal } });
    return true;
  }
  if (!isTimerOver(turn, name)) return false;
  const error = { message: `the signal "${signal}" has not come in time`, reason: "timeout" };
  const next = turn.state.pivot === undefined ? "compensate" : "park";
  emit(turn, { type: "step_failed", step: name, payload: { attempt, error, next } });
  return false;
}

function advanceSleep(turn: Turn, { name, delayMs }: SleepNode): boolean {
  const step = turn.state.steps.get(name);
  if (step?.phase === "completed" || step?.phase === "skipped") return true;
  if (step === undefined) startWaiting(turn, name, delayMs);
  if (!isTimerOver(turn, name)) return false;
  emit(turn, { type: "step_completed", step: name, payload: { attempt: 1 } });
  return true;
}

function startWaiting(turn: Turn, name: string, delayMs: number | undefined): void {
  const attempt = (turn.state.steps.get(name)?.attempts ?? 0) + 1;
  emit(turn, { type: "step_started", step: name, payload: { attempt, waits: true } });
  if (delayMs === undefined) return;
  emit(turn, { type: "timer_set", step: name, payload: { dueAtMs: turn.nowMs + delayMs } });
}

/** Fires the timer of a step that waits, once, when it is due. */
function isTimerOver(turn: Turn, name: string): boolean {
  const step = turn.state.steps.get(name);
  if (step?.phase !== "waiting" || step.dueAtMs === undefined) return false;
  if (step.fired) return true;
  if (turn.nowMs < step.dueAtMs) {
    wakeAt(turn, step.dueAtMs);
    return false;
  }
  emit(turn, { type: "timer_fired", step: name, payload: { dueAtMs: step.dueAtMs } });
  return true;
}

/** Undoes what is done or may be, the last first, once nothing goes forward any more. */
function goBack(turn: Turn): void {
  turn.wakeAtMs = Infinity;
  if (!settle(turn)) return;
  for (const node of turn.definition.nodes.toReversed()) {
    const branches = node.type === "parallel" ? node.branches : [node];
    const steps = branches.filter((branch) => branch.type === "step" && branch.compensable);
    if (!steps.map((step) => compensate(turn, step as StepNode)).every(Boolean)) return park(turn);
  }
  const state = turn.state.undoing?.cause === "cancelled" ? "cancelled" : "compensated";
  emit(turn, { type: "saga_compensated", payload: { state } });
}

/** True once no step goes forward any more. A cancel lets a call under way come to its end; a failure and a timeout do not. */
function settle(turn: Turn): boolean {
  const { steps, undoing } = turn.state;
  let isSettled = true;
  for (const [name, step] of steps) {
    if (step.phase === "running") {
      isSettled = false;
      const call = { step: name, direction: "execute" as const, attempt: step.attempts };
      // To abort what nobody but an operator can judge would only make work for that one.
      const isLeft = undoing?.cause === "cancelled" || stepNode(turn.definition, name).inDoubt === "manual";
      if (!isLeft) turn.abort.push(callId(call));
    } else if (step.phase === "verifying") {
      isSettled = false;
      ask(turn, stepNode(turn.definition, name));
    }
  }
  if (!isSettled) return false;
  if (![...steps.values()].some(({ phase }) => phase === "stuck")) return true;
  park(turn);
  return false;
}

/** Moves the compensation of a step on; true once there is nothing to undo of it. */
function compensate(turn: Turn, { name, timeoutMs }: StepNode): boolean {
  const step = turn.state.steps.get(name);
  if (step === undefined) return true;
  if (step.phase === "compensation_backoff" && turn.nowMs < step.retryAtMs) {
    wakeAt(turn, step.retryAtMs);
    return false;
  }
  if (isToBeUndone(step) || step.phase === "compensation_backoff") {
    const attempt = step.undoAttempts + 1;
    emit(turn, { type: "compensation_started", step: name, payload: { attempt } });
    turn.calls.push({ step: name, direction: "compensate", attempt, timeoutMs });
    return false;
  }
  return step.phase !== "compensating" && step.phase !== "compensation_stuck";
}

/** Leaves it to an operator, once nothing else is under way. */
function park(turn: Turn): void {
  const { steps, undoing } = turn.state;
  const all = [...steps];
  const stuck = all.filter(([, step]) => isStuck(step));
  if (stuck.length === 0 || all.some(([, step]) => isActive(step, undoing !== undefined))) return;
  const reasons = stuck.map(([name, { phase, inDoubt, error }]) => {
    const what =
      phase === "stuck" ? (inDoubt ? "is in doubt" : "has failed past the pivot") : "cannot be undone";
    return `"${name}" ${what}: ${error?.message ?? "no reason was given"}`;
  });
  emit(turn, { type: "saga_parked", payload: { reason: reasons.join("; "), cause: "steps" } });
}
