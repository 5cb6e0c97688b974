// Proof that the simulation can fail: bugs to plant in a copy of the source, and the invariant that each has to break.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Edit, plantedTree } from "../museum/planted-tree.ts";

export interface Mutant {
  /** What it does wrong. */
  bug: string;
  edits: readonly Edit[];
  /** Which of these is found first is chance. */
  breaks: readonly string[];
}

const LIFECYCLE = "src/core/lifecycle.ts";
const START = "src/core/start-order.ts";

function mutant(
  bug: string,
  breaks: readonly string[],
  ...edits: [file: string, find: string, replace: string][]
): Mutant {
  return { bug, breaks, edits: edits.map(([file, find, replace]) => ({ file, find, replace })) };
}

export const mutants: readonly Mutant[] = [
  mutant(
    "an event of an old life counts for the new one",
    ["right-incarnation", "no-event-lost", "one-instance"],
    [LIFECYCLE, "if (member.incarnation !== event.incarnation) return;", ""],
  ),
  mutant(
    "a scheduled task that is held runs when it is due",
    ["held-stays-down"],
    ["src/core/fleet.ts", "if (isHeld(member)) return;", ""],
  ),
  mutant(
    "one restart more than the limit",
    ["restart-limit"],
    ["src/core/restart.ts", "timesMs.length >= limit.count", "timesMs.length > limit.count"],
  ),
  mutant(
    "a service counts as started before it is launched",
    ["dependencies-hold"],
    [
      "src/core/condition.ts",
      'condition === "started" && state.launched ? "met"',
      'condition === "started" ? "met"',
    ],
  ),
  mutant(
    "one replica is enough for every condition",
    ["dependencies-hold"],
    ["src/core/condition.ts", 'condition === "ready" ? "met" : "lost"', '"met"'],
  ),
  mutant(
    "services stop without waiting for their dependents",
    ["stop-order"],
    ["src/core/stop-order.ts", "this.#before[index] === 0 && isItsTurn", "isItsTurn"],
  ),
  mutant(
    "critical services do not block readiness once startup is over",
    ["honest-readiness"],
    ["src/core/snapshot.ts", "if (!critical) return", 'if (!critical || state === "started") return'],
  ),
  mutant(
    "a probed service is ready without a pass",
    ["ready-after-a-pass"],
    [LIFECYCLE, 'if (readiness === "started" || member.markedReady) this', "this"],
  ),
  mutant(
    "a service is stopped twice",
    ["one-stop", "no-signal-after-exit"],
    [
      "src/runtime/effects.ts",
      "return this.#runningOf(effect)?.stop();",
      "this.#runningOf(effect)?.stop();\n        return this.#runningOf(effect)?.stop();",
    ],
  ),
  mutant(
    "what a forced end kills is asked to stop afterwards",
    ["no-signal-after-exit"],
    [LIFECYCLE, 'if (member.state.name !== "stopping") this.#leave(member);', ""],
    [LIFECYCLE, "member.lateMs ??= this.#now - member.state.sinceMs;", ""],
    ["src/runtime/effects.ts", "if (this.#runningOf(target)) this.#running.delete(service);", ""],
    ["src/runtime/effects.ts", "if (!isOver) this.#running", "this.#running"],
  ),
  mutant(
    "a module that was abandoned is replaced",
    ["one-instance"],
    [LIFECYCLE, "if (isAbandoned) this.abandoned =", "if (isAbandoned && !planned) this.abandoned ="],
  ),
  mutant(
    "a startup that is rolled back goes on",
    ["nothing-starts-at-the-end"],
    ["src/runtime/supervisor.ts", 'this.#dispatch({ type: "boot-cancelled" });', ";"],
    [
      LIFECYCLE,
      'if (cause.during === "boot" || this.#options.startOrder.boot !== "settled")',
      "if (this.isEnding)",
    ],
  ),
  mutant(
    "one more than the concurrency starts",
    ["concurrency"],
    [START, "this.#starting < this.#options.concurrency", "this.#starting <= this.#options.concurrency"],
  ),
  mutant(
    "a dependency that comes to hold is not noticed",
    ["settles", "pending-for-a-reason"],
    [START, "waiting.delete(position) && waiting.size === 0", "waiting.delete(position) && waiting.size > 9"],
  ),
  mutant(
    "waiting for a stage leaves its timer behind",
    ["no-timer-left"],
    ["src/runtime/ledger.ts", "  cancel();\n  return inTime;", "  return inTime;"],
  ),
  mutant(
    "probers are waited for when their stage is over",
    ["no-timer-left"],
    ["src/runtime/shutdown.ts", 'over.addEventListener("abort", () => wait?.stop());', ""],
  ),
  mutant(
    "services may take longer than the budget",
    ["within-budget", "exit-code"],
    [
      "src/core/budget.ts",
      "return remainingMs - Math.min(1_000, remainingMs / 10);",
      "return remainingMs + 500;",
    ],
  ),
  mutant(
    "a budget that runs out is a clean end",
    ["exit-code"],
    ["src/runtime/ending.ts", "overran ? ExitCode.budget : ", ""],
  ),
  mutant(
    "a forced end takes its time",
    ["forced-in-time", "within-budget"],
    ["src/runtime/ending.ts", "const FORCED_MS = 40;", "const FORCED_MS = 400;"],
  ),
  mutant(
    "a graceful end goes on when it is forced",
    ["silence-after-the-end", "no-timer-left"],
    ["src/runtime/ending.ts", "signal: this.#forced.signal,", "signal: new AbortController().signal,"],
  ),
  mutant(
    "the port may take for ever to close",
    ["every-run-ends", "within-budget"],
    ["src/runtime/shutdown.ts", "await within(closed, CLOSE_MS, { clock, signal });", "await closed;"],
  ),
  mutant(
    "nobody is told of a backoff",
    ["every-state-is-told"],
    [
      LIFECYCLE,
      "this.#effects.push(announcement(member, from));",
      'if (to.name !== "backoff") this.#effects.push(announcement(member, from));',
    ],
  ),
  mutant(
    "the exit of a service that stops is lost",
    ["no-event-lost"],
    [
      LIFECYCLE,
      'if (state.name === "stopping") return this.#onStopped(member, state.failure, reason);',
      'if (state.name === "stopping") return;',
    ],
  ),
  mutant(
    "a second reading of the config is applied while everything stops",
    ["refused-reload-changes-nothing", "no-event-lost", "nothing-starts-at-the-end", "every-state-is-told"],
    [
      "src/runtime/supervisor.ts",
      "this.#replacement = undefined;\n    this.#refuseUnlessUp();",
      "this.#replacement = undefined;",
    ],
    [
      "src/runtime/supervisor.ts",
      "    this.#schedule();\n    const wanted",
      "    this.#schedule();\n    this.#refuseUnlessUp();\n    const wanted",
    ],
  ),
];

/** Looks for a seed that the mutant breaks; gives what was found, empty when nothing was. */
export function hunt({ bug, edits }: Mutant, seeds: number): string {
  using tree = plantedTree(bug, { edits, parts: ["src", "test/simulation"] });
  const replay = join(tree.path, "test/simulation/replay.ts");
  const { stderr, status } = spawnSync(process.execPath, [replay, `0..${seeds}`], { encoding: "utf8" });
  return status === 0 ? "" : stderr;
}
