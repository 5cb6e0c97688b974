// The one end of a runtime: what brought it about, a graceful shutdown or a forced one, how far it has come, and the exit code.
// It stops nothing itself: the stages are in `shutdown.ts`, the order of services is the fleet's.
import { budgetMs, STAGES } from "../core/budget.ts";
import { type DrainContext, drainRule } from "../core/drain.ts";
import type { Effect, FleetEvent } from "../core/event.ts";
import { exitCodeOf } from "../core/exit.ts";
import type { Fleet } from "../core/fleet.ts";
import { isAlive } from "../core/service-state.ts";
import type { RuntimeState } from "../core/snapshot.ts";
import { ExitCode } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { LedgerStatus } from "../ports/control.ts";
import type { Companion } from "../ports/companion.ts";
import type { Gate } from "../ports/gate.ts";
import type { NewRuntimeEvent } from "../ports/runtime-event.ts";
import type { BackgroundTasks, ShutdownTask } from "./background.ts";
import { type StageReport, within } from "./ledger.ts";
import { type ShutdownReport, shutDown } from "./shutdown.ts";

/** Why the runtime ends. */
export interface ShutdownCause {
  reason: string;
  exitCode: number;
  /** The service that brought it about, if it was one. */
  service?: string;
}

/** What the end needs of the loop. */
export interface EndingRuntime {
  state(): RuntimeState;
  fleet(): Fleet;
  enter(state: RuntimeState): void;
  dispatch(event: FleetEvent): void;
  emit(event: NewRuntimeEvent): void;
  /** Resolves when nothing runs any more. */
  servicesEnded(): Promise<void>;
  /** Nothing new is to begin by itself. */
  quiesce(): void;
}

export interface EndingOptions {
  clock: Clock;
  shutdown: { budgetMs: number | "auto"; drainMs: number | "auto" };
  kubernetes: boolean;
  attended?: boolean;
  publisher?: () => DrainContext["publisher"];
  exitCodeFrom?: string;
  gate?: Gate;
  /** Asked when it ends. */
  companions?: () => readonly Companion[];
  background: BackgroundTasks;
  shutdownTasks: readonly ShutdownTask[];
  runtime: EndingRuntime;
  /** Called once, when all is over. */
  onEnded: (report: ShutdownReport) => void;
}

/** Signals this close to the first are the same request: a terminal and a wrapper both deliver Ctrl-C. */
const SAME_SIGNAL_MS = 100;
/** How long a forced end waits for what it has killed to be gone. */
const FORCED_MS = 40;

export class Ending {
  readonly #options: EndingOptions;
  readonly #ended = Promise.withResolvers<ShutdownReport>();
  #cause: ShutdownCause | undefined;
  /** Since when it ends, and what it has behind it. */
  #progress: { sinceMs: number; budgetMs: number; done: StageReport[] } | undefined;
  #firstSignalMs: number | undefined;
  /** Aborts when a second signal has come: the graceful end has no say any more. */
  readonly #forced = new AbortController();

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** What began it; absent while nothing has. */
  get cause(): ShutdownCause | undefined {
    return this.#cause;
  }

  get ended(): Promise<ShutdownReport> {
    return this.#ended.promise;
  }

  /** The first call's cause is the one that counts. */
  begin(cause: ShutdownCause): Promise<ShutdownReport> {
    if (this.#cause === undefined) void this.#shutDown(cause);
    return this.#ended.promise;
  }

  /** Graceful at first; a later one, more than 100 ms after, forces. */
  onSignal(signal: string): void {
    const { clock, runtime } = this.#options;
    const forcedCode = exitCodeOf({ code: null, signal });
    const now = clock.now();
    if (this.#firstSignalMs === undefined) {
      this.#firstSignalMs = now;
      const cancelled = runtime.state() === "uninitialized" || runtime.state() === "starting";
      const exitCode = cancelled ? forcedCode : ExitCode.ok;
      void this.begin({ reason: `stopping on ${signal}${cancelled ? ", startup cancelled" : ""}`, exitCode });
    } else if (now - this.#firstSignalMs > SAME_SIGNAL_MS) {
      void this.#force({ reason: `${signal} a second time`, exitCode: forcedCode });
    }
  }

  /** How far it has come; absent while there is none. */
  ledger(): LedgerStatus | undefined {
    if (!this.#progress) return undefined;
    const { sinceMs, budgetMs: budget, done } = this.#progress;
    const stage = STAGES[Math.min(done.length, STAGES.length - 1)] ?? "drain";
    const elapsedMs = this.#options.clock.now() - sinceMs;
    return { budgetMs: budget, elapsedMs, stage, reason: this.#cause?.reason ?? "", done };
  }

  async #shutDown(cause: ShutdownCause): Promise<void> {
    const {
      clock,
      shutdown,
      kubernetes,
      attended = false,
      publisher = () => undefined,
      gate,
      companions = () => [],
      background,
      shutdownTasks,
      runtime,
    } = this.#options;
    const context = { kubernetes, publisher: publisher() };
    const budget = budgetMs(shutdown.budgetMs, context);
    const isRollback = runtime.state() === "starting";
    const done: StageReport[] = [];
    this.#cause = cause;
    this.#progress = { sinceMs: clock.now(), budgetMs: budget, done };
    runtime.emit({ type: "shutdown-began", ...cause });
    runtime.quiesce();
    const { sinceMs } = this.#progress;
    const gone = runtime.fleet().members.filter(({ state }) => !isAlive(state));
    const wereGone = new Set(gone.map(({ planned }) => planned.spec.name));
    const { stages, overran } = await shutDown({
      clock,
      budgetMs: budget,
      // Who has never been ready has been sent nothing.
      drain: drainRule(isRollback ? 0 : shutdown.drainMs, { ...context, attended }),
      ...(gate && { gate }),
      companions: companions(),
      background,
      shutdownTasks,
      enter: (state) => {
        if (runtime.state() !== "destroyed") runtime.enter(state);
      },
      stopServices: () => {
        runtime.dispatch({ type: "stop-requested" });
        return runtime.servicesEnded();
      },
      killServices: () => runtime.dispatch({ type: "kill-requested" }),
      lateServices: () => this.#lateServices(wereGone),
      emit: (event) => {
        if (event.type === "stage-ended") done.push(event);
        if (runtime.state() !== "destroyed") runtime.emit(event);
      },
      signal: this.#forced.signal,
    });
    const outcome = this.#outcome(cause, sinceMs);
    const exitCode = overran ? ExitCode.budget : outcome.exitCode;
    if (!this.#forced.signal.aborted) this.#end({ ...outcome, exitCode, forced: false, stages });
  }

  /**
   * The cause with its code; where that is 0 or `exitCodeFrom` is itself the cause, that service's own, which makes no success of a
   * failure. A critical service that broke while stopping spoils a clean stop, and is named.
   */
  #outcome(cause: ShutdownCause, sinceMs: number): ShutdownCause {
    const { exitCodeFrom, runtime } = this.#options;
    const own = exitCodeFrom === undefined ? undefined : runtime.fleet().member(exitCodeFrom)?.lastExit;
    if (own !== undefined && (cause.exitCode === ExitCode.ok || cause.service === exitCodeFrom))
      return { ...cause, exitCode: exitCodeOf(own) || cause.exitCode };
    const broken = runtime
      .fleet()
      .members.flatMap(({ state, planned: { spec } }) =>
        spec.critical && state.name === "failed" && state.sinceMs >= sinceMs
          ? [`'${spec.name}': ${state.failure.reason}`]
          : [],
      );
    if (cause.exitCode !== ExitCode.ok || broken.length === 0) return cause;
    return { ...cause, exitCode: ExitCode.failure, reason: `${cause.reason}; ${broken.join("; ")}` };
  }

  async #force(cause: ShutdownCause): Promise<void> {
    const { clock, runtime, background } = this.#options;
    if (this.#forced.signal.aborted || runtime.state() === "destroyed") return;
    this.#forced.abort();
    void background.stop();
    runtime.dispatch({ type: "kill-requested" });
    await within(runtime.servicesEnded(), FORCED_MS, { clock });
    this.#end({ ...cause, forced: true, stages: [] });
  }

  /** Who was killed or abandoned before this began is late no more. */
  #lateServices(wereGone: ReadonlySet<string>): string[] {
    return this.#options.runtime.fleet().members.flatMap(({ lateMs, pid, planned }) => {
      if (lateMs === undefined || wereGone.has(planned.spec.name)) return [];
      const fate = pid === undefined ? "abandoned" : "SIGKILL";
      return [`${planned.spec.name} (${fate} after ${(lateMs / 1000).toFixed(1)}s)`];
    });
  }

  #end(report: ShutdownReport): void {
    const { runtime, onEnded } = this.#options;
    if (runtime.state() === "destroyed") return;
    onEnded(report);
    this.#ended.resolve(report);
  }
}

export function causeInWords({
  service,
  reason,
  exitCode,
  during,
}: Extract<Effect, { type: "give-up" }>): string {
  if (service === undefined) return reason;
  if (during === "boot") return `cannot start '${service}': ${reason}`;
  if (exitCode !== ExitCode.ok) return `'${service}' ${reason} and is critical: stopping`;
  return (
    `\`${service}\` ${reason} and is critical: stopping. ` +
    "If it should end: `kind: task`; if others may go on: `critical: false`"
  );
}
