// The loop: takes one event, folds it through the fleet, performs the effects, whose outcomes come back as events. It decides
// nothing about services; it holds the runtime's own state, its health and its one shutdown.
import { budgetMs } from "../core/budget.ts";
import { drainRule } from "../core/drain.ts";
import type { Effect, FleetEvent } from "../core/event.ts";
import { exitCodeOf } from "../core/exit.ts";
import { Fleet } from "../core/fleet.ts";
import { graphProblems } from "../core/graph.ts";
import { createPlan } from "../core/plan.ts";
import { createSnapshot, type RuntimeState, type Snapshot } from "../core/snapshot.ts";
import { ExitCode, StartupError, TimeoutError, UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Gate } from "../ports/gate.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { NewRuntimeEvent, RuntimeEvent } from "../ports/runtime-event.ts";
import { type BackgroundTask, BackgroundTasks, type ShutdownTask } from "./background.ts";
import { Effects, type SupervisedService } from "./effects.ts";
import { within } from "./ledger.ts";
import { type ShutdownReport, shutDown } from "./shutdown.ts";

export interface SupervisorOptions {
  clock: Clock;
  emit: (event: RuntimeEvent) => void;
  startup: { timeoutMs: number; concurrency: number; onFailure: "rollback" | "continue" };
  shutdown: { budgetMs: number | "auto"; drainMs: number | "auto" };
  /** Whether the process runs in a Kubernetes pod; decides what `auto` means. */
  kubernetes: boolean;
  /** Somebody sits at a terminal and waits for the end; then `auto` does not drain. Default: false. */
  attended?: boolean;
  /** The service whose exit code the runtime leaves with. */
  exitCodeFrom?: string;
  gate?: Gate;
}

/** Why the runtime ends. */
export interface ShutdownCause {
  reason: string;
  exitCode: number;
  /** The service that brought it about, if it was one. */
  service?: string;
}

/** Signals this close to the first are the same request: a terminal and a wrapper both deliver Ctrl-C. */
const SAME_SIGNAL_MS = 100;
/** How long a forced end waits for what it has killed to be gone. */
const FORCED_MS = 40;

export class Supervisor implements HealthSource {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #wallOffsetMs: number;
  readonly #background: BackgroundTasks;
  readonly #shutdownTasks: ShutdownTask[] = [];
  readonly #readyWaiters = new Set<() => void>();
  #effects: Effects;
  #fleet = new Fleet({ services: [], phases: [] });
  #queue: FleetEvent[] = [];
  #looping = false;
  #state: RuntimeState = "uninitialized";
  #stateSinceMs: number;
  #startedOnce = false;
  #startMs: number | undefined;
  #snapshot: { value: Snapshot; version: string } | undefined;
  #cancelStartupTimeout = () => {};
  #bootDone: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  readonly #servicesEnded = Promise.withResolvers<void>();
  #cause: ShutdownCause | undefined;
  #firstSignalMs: number | undefined;
  /** A second signal has come: the graceful end has no say any more. */
  #forced = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#wallOffsetMs = options.clock.wallTime() - options.clock.now();
    this.#stateSinceMs = options.clock.now();
    this.#effects = this.#effectsOn([]);
    this.#background = new BackgroundTasks((reason) =>
      this.#emit({ type: "background-task-failed", reason }),
    );
  }

  get state(): RuntimeState {
    return this.#state;
  }

  /**
   * Starts the services. Resolves when all have settled, or when the rest waits for somebody to call `markReady`. Rejects with
   * `UsageError` for an impossible graph or a second call, and with `StartupError`, once everything that had started has
   * stopped again, when startup fails or is cancelled.
   */
  async run(services: readonly SupervisedService[]): Promise<void> {
    if (this.#state !== "uninitialized") throw new UsageError(`cannot run: the runtime is ${this.#state}`);
    const specs = services.map(({ spec }) => spec);
    const problems = graphProblems(specs);
    if (problems.length > 0) throw new UsageError(problems.map(({ message }) => message).join("\n"));
    const { timeoutMs, concurrency, onFailure } = this.#options.startup;
    this.#effects = this.#effectsOn(services);
    this.#fleet = new Fleet(createPlan(specs), { concurrency, onFailure });
    this.#startMs = this.#clock.now();
    this.#enter("starting");
    const booted = new Promise<void>((resolve, reject) => {
      this.#bootDone = { resolve, reject };
    });
    const expire = () => this.#dispatch({ type: "startup-timed-out", timeoutMs });
    if (timeoutMs !== Infinity) this.#cancelStartupTimeout = this.#clock.after(timeoutMs, expire);
    this.#dispatch({ type: "boot-requested" });
    await booted;
  }

  /** Stops everything, in order. The first call's promise is everybody's. Never rejects. */
  shutdown(
    cause: ShutdownCause = { reason: "stopping: shutdown was called", exitCode: ExitCode.ok },
  ): Promise<ShutdownReport> {
    if (this.#cause === undefined) void this.#shutDown(cause);
    return this.ended.promise;
  }

  /** Resolves when the runtime has ended, whoever asked for it. */
  readonly ended = Promise.withResolvers<ShutdownReport>();

  /** Graceful at first; a later one, more than 100 ms after, forces: everything is killed, and the end waits for nothing else. */
  onSignal(signal: string): void {
    const forcedCode = exitCodeOf({ code: null, signal });
    const now = this.#clock.now();
    this.#emit({ type: "signal-received", signal });
    if (this.#firstSignalMs === undefined) {
      this.#firstSignalMs = now;
      const cancelled = this.#state === "uninitialized" || this.#state === "starting";
      const exitCode = cancelled ? forcedCode : ExitCode.ok;
      void this.shutdown({
        reason: `stopping on ${signal}${cancelled ? ", startup cancelled" : ""}`,
        exitCode,
      });
    } else if (now - this.#firstSignalMs > SAME_SIGNAL_MS) {
      void this.#force({ reason: `${signal} a second time`, exitCode: forcedCode });
    }
  }

  /** Throws `UsageError` for a name that is not registered. */
  markReady(service: string): void {
    const member = this.#fleet.member(service);
    if (!member) throw new UsageError(`cannot mark '${service}' ready: no such service`);
    this.#dispatch({ type: "service-marked-ready", service, incarnation: member.incarnation });
  }

  /** Rejects with `TimeoutError`, naming who is not ready, after `timeoutMs`, or at once when the runtime ends. */
  waitForAllReady({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.snapshot().ready) done(resolve);
        else if (this.#state === "destroyed") fail("the runtime has ended");
      };
      const fail = (why: string) => {
        const names = this.snapshot().blockedBy.map(({ service, reason }) => `${service} (${reason})`);
        done(() =>
          reject(new TimeoutError(`not all services are ready: ${why}; waiting for ${names.join(", ")}`)),
        );
      };
      const done = (settle: () => void) => {
        cancel();
        this.#readyWaiters.delete(check);
        settle();
      };
      const cancel = this.#clock.after(timeoutMs, () => fail(`${timeoutMs}ms have passed`));
      this.#readyWaiters.add(check);
      check();
    });
  }

  addBackgroundTask(task: BackgroundTask): void {
    this.#background.add(task);
  }

  addShutdownTask(task: ShutdownTask): void {
    this.#shutdownTasks.push(task);
  }

  snapshot(): Snapshot {
    const version = `${this.#state}/${this.#fleet.version}`;
    if (this.#snapshot?.version !== version) {
      const value = createSnapshot(this.#fleet, {
        state: this.#state,
        stateSinceMs: this.#stateSinceMs,
        started: this.#startedOnce,
        wallOffsetMs: this.#wallOffsetMs,
      });
      this.#snapshot = { value, version };
    }
    return this.#snapshot.value;
  }

  uptimeMs(): number {
    return this.#startMs === undefined ? 0 : this.#clock.now() - this.#startMs;
  }

  // ── the loop ──

  #dispatch(event: FleetEvent): void {
    this.#queue.push(event);
    if (this.#looping) return;
    this.#looping = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      for (const effect of this.#fleet.fold(next, this.#clock.now())) this.#perform(effect);
    }
    this.#looping = false;
    this.#afterLoop();
  }

  #effectsOn(services: readonly SupervisedService[]): Effects {
    const dispatch = (event: FleetEvent) => this.#dispatch(event);
    return new Effects(services, { clock: this.#clock, dispatch, emit: (event) => this.#emit(event) });
  }

  #perform(effect: Effect): void {
    if (effect.type === "announce") this.#emit({ ...effect, type: "service-state-changed" });
    else if (effect.type === "give-up") this.#giveUp(effect);
    else this.#effects.perform(effect);
  }

  #afterLoop(): void {
    const { boot } = this.#fleet;
    if (this.#state === "starting" && (boot === "settled" || boot === "held")) {
      this.#cancelStartupTimeout();
      this.#startedOnce = true;
      this.#enter("started");
      this.#background.start();
      this.#bootDone?.resolve();
    }
    if (this.#fleet.ended) this.#servicesEnded.resolve();
    for (const check of this.#readyWaiters) check();
  }

  #giveUp(cause: Extract<Effect, { type: "give-up" }>): void {
    if (cause.service === undefined) this.#bootDone?.resolve();
    const { service, exitCode } = cause;
    void this.shutdown({ reason: causeInWords(cause), exitCode, ...(service !== undefined && { service }) });
  }

  // ── the end ──

  async #shutDown(cause: ShutdownCause): Promise<void> {
    const { shutdown, kubernetes, attended = false, gate } = this.#options;
    const budget = budgetMs(shutdown.budgetMs, { kubernetes });
    const isRollback = this.#state === "starting";
    const sinceMs = this.#clock.now();
    this.#cause = cause;
    this.#emit({ type: "shutdown-began", ...cause });
    this.#cancelStartupTimeout();
    const { stages, overran } = await shutDown({
      clock: this.#clock,
      budgetMs: budget,
      // Who has never been ready has been sent nothing.
      drain: drainRule(isRollback ? 0 : shutdown.drainMs, { kubernetes, attended }),
      ...(gate && { gate }),
      background: this.#background,
      shutdownTasks: this.#shutdownTasks,
      enter: (state) => {
        if (this.#state !== "destroyed") this.#enter(state);
      },
      stopServices: () => this.#stopServices(),
      killServices: () => this.#dispatch({ type: "kill-requested" }),
      lateServices: () => this.#lateServices(),
      emit: (event) => this.#emit(event),
    });
    const exitCode = overran ? ExitCode.budget : this.#exitCode(cause, sinceMs);
    if (!this.#forced) this.#end({ ...cause, exitCode, forced: false, stages });
  }

  /**
   * The cause's code; where that is 0 or `exitCodeFrom` is itself the cause, that service's own. A service that broke while
   * stopping spoils a clean stop.
   */
  #exitCode(cause: ShutdownCause, sinceMs: number): number {
    const { exitCodeFrom } = this.#options;
    const own = exitCodeFrom === undefined ? undefined : this.#fleet.member(exitCodeFrom)?.exitCode;
    if (own !== undefined && (cause.exitCode === ExitCode.ok || cause.service === exitCodeFrom)) return own;
    const isBroken = this.#fleet.members.some(
      ({ state }) => state.name === "failed" && state.sinceMs >= sinceMs,
    );
    return cause.exitCode === ExitCode.ok && isBroken ? ExitCode.failure : cause.exitCode;
  }

  async #force(cause: ShutdownCause): Promise<void> {
    this.#forced = true;
    this.#dispatch({ type: "kill-requested" });
    await within(this.#servicesEnded.promise, FORCED_MS, this.#clock);
    this.#end({ ...cause, forced: true, stages: [] });
  }

  #stopServices(): Promise<void> {
    this.#dispatch({ type: "stop-requested" });
    return this.#servicesEnded.promise;
  }

  #lateServices(): string[] {
    return this.#fleet.members.flatMap(({ lateMs, pid, planned }) => {
      if (lateMs === undefined) return [];
      const fate = pid === undefined ? "abandoned" : "SIGKILL";
      return [`${planned.spec.name} (${fate} after ${(lateMs / 1000).toFixed(1)}s)`];
    });
  }

  #end(report: ShutdownReport): void {
    if (this.#state === "destroyed") return;
    this.#effects.release();
    this.#enter("destroyed");
    this.#bootDone?.reject(
      new StartupError(this.#cause?.reason ?? report.reason, { exitCode: report.exitCode }),
    );
    this.ended.resolve(report);
    for (const check of this.#readyWaiters) check();
  }

  #enter(state: RuntimeState): void {
    const from = this.#state;
    this.#state = state;
    this.#stateSinceMs = this.#clock.now();
    this.#emit({ type: "runtime-state-changed", from, to: state });
  }

  #emit(event: NewRuntimeEvent): void {
    // Stamped in place: there are several for every service, and a copy of each is a tenth of a large start.
    this.#options.emit(Object.assign(event, { atMs: this.#clock.now() + this.#wallOffsetMs }));
  }
}

function causeInWords({ service, reason, exitCode, during }: Extract<Effect, { type: "give-up" }>): string {
  if (service === undefined) return reason;
  if (during === "boot") return `cannot start '${service}': ${reason}`;
  if (exitCode !== ExitCode.ok) return `'${service}' ${reason} and is critical: stopping`;
  return (
    `\`${service}\` ${reason} and is critical: stopping. ` +
    "If it should end: `kind: task`; if others may go on: `critical: false`"
  );
}
