// The loop: takes one event, folds it through the fleet, performs the effects, whose outcomes come back as events. It decides
// nothing about services; it holds the runtime's own state and its health.
import type { Effect, FleetEvent, Order } from "../core/event.ts";
import { Fleet } from "../core/fleet.ts";
import { graphProblems } from "../core/graph.ts";
import { createPlan, type Plan } from "../core/plan.ts";
import { type FleetMember, isHeld, target } from "../core/member.ts";
import { isAlive } from "../core/service-state.ts";
import { createSnapshot, type RuntimeState, type Snapshot } from "../core/snapshot.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { ExitCode, StartupError, UsageError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Companion } from "../ports/companion.ts";
import type { Gate } from "../ports/gate.ts";
import type { LedgerStatus } from "../ports/control.ts";
import type { HealthSource } from "../ports/health-source.ts";
import type { NewRuntimeEvent, RuntimeEvent } from "../ports/runtime-event.ts";
import { type BackgroundTask, BackgroundTasks, type ShutdownTask } from "./background.ts";
import { Effects, type SupervisedService } from "./effects.ts";
import { causeInWords, Ending, type ShutdownCause } from "./ending.ts";
import { waitUntilReady } from "./ready-wait.ts";
import { Replacement } from "./replacement.ts";
import { type Schedule, Scheduler } from "./scheduler.ts";
import type { ShutdownReport } from "./shutdown.ts";
import { startupDeadline } from "./startup-deadline.ts";

export interface SupervisorOptions {
  clock: Clock;
  emit: (event: RuntimeEvent) => void;
  startup: { timeoutMs: number; concurrency: number; onFailure: "rollback" | "continue" };
  shutdown: { budgetMs: number | "auto"; drainMs: number | "auto" };
  /** Whether the process runs in a Kubernetes pod; decides what `auto` means. */
  kubernetes: boolean;
  /** Somebody sits at a terminal and waits for the end; then `auto` does not drain. Default: false. */
  attended?: boolean;
  /** By what routes are published, if there are some; asked when it ends. */
  publisher?: () => "http" | "redis" | undefined;
  /** The service whose exit code the runtime leaves with. */
  exitCodeFrom?: string;
  gate?: Gate;
  /** What else a shutdown has to hear of; asked when it ends. */
  companions?: () => readonly Companion[];
  /** Nothing that happens to services ends it. Default: false. */
  endures?: boolean;
  /** From 0 up to 1, for the jitter of backoffs. Default: `Math.random`. */
  random?: () => number;
}

export class Supervisor implements HealthSource {
  readonly #options: SupervisorOptions;
  readonly #clock: Clock;
  readonly #wallOffsetMs: number;
  readonly #background: BackgroundTasks;
  readonly #shutdownTasks: ShutdownTask[] = [];
  /** Asked after every turn of the loop. */
  readonly #waiters = new Set<() => void>();
  readonly #effects: Effects;
  readonly #scheduler: Scheduler;
  #services: readonly SupervisedService[] = [];
  #plan: Plan = { services: [], phases: [] };
  #fleet = new Fleet(this.#plan);
  #queue: FleetEvent[] = [];
  #looping = false;
  #replacement: Replacement | undefined;
  #state: RuntimeState = "uninitialized";
  #stateSinceMs: number;
  #startedOnce = false;
  #startMs: number | undefined;
  #snapshot: { value: Snapshot; version: number } | undefined;
  #cancelStartupTimeout = () => {};
  #bootDone: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  readonly #ending: Ending;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#wallOffsetMs = options.clock.wallTime() - options.clock.now();
    this.#stateSinceMs = options.clock.now();
    this.#effects = new Effects({
      clock: options.clock,
      dispatch: (event) => this.#dispatch(event),
      emit: (event) => this.#emit(event),
    });
    this.#scheduler = new Scheduler({
      clock: options.clock,
      onDue: (service) => {
        this.#emit({ type: "schedule-came-due", service });
        if (!this.#replacement?.postpone(service)) this.#dispatch({ type: "schedule-came-due", service });
      },
    });
    this.#background = new BackgroundTasks((reason) =>
      this.#emit({ type: "background-task-failed", reason }),
    );
    this.#ending = new Ending({
      ...options,
      background: this.#background,
      shutdownTasks: this.#shutdownTasks,
      runtime: {
        state: () => this.#state,
        fleet: () => this.#fleet,
        enter: (state) => this.#enter(state),
        dispatch: (event) => this.#dispatch(event),
        emit: (event) => this.#emit(event),
        servicesEnded: () => this.#when(() => this.#fleet.ended),
        quiesce: () => this.#quiesce(),
      },
      onEnded: (report) => this.#onEnded(report),
    });
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
    const { timeoutMs } = this.#options.startup;
    this.#effects.use(services);
    this.#fleet = this.#fleetOf(specs);
    this.#services = services;
    this.#startMs = this.#clock.now();
    this.#enter("starting");
    const booted = new Promise<void>((resolve, reject) => {
      this.#bootDone = { resolve, reject };
    });
    const patient = specs.filter((spec) => spec.patient);
    this.#cancelStartupTimeout = startupDeadline({
      clock: this.#clock,
      timeoutMs,
      isHeldUp: () => patient.some(({ name }) => !this.#is(name, ({ state }) => state.name === "ready")),
      watch: (check) => this.#watch(check),
      expire: () => this.#dispatch({ type: "startup-timed-out", timeoutMs }),
    });
    this.#dispatch({ type: "boot-requested" });
    await booted;
  }

  /**
   * Puts other services in the place of the present ones; a startup that is under way is over with it. `fresh` ones, of which
   * the present instances stop first, start anew; the others of the same name go on. Resolves when the new ones have been told
   * to start. Throws `UsageError` for an impossible graph, with nothing changed, and when the runtime ends meanwhile.
   */
  async replace(services: readonly SupervisedService[], fresh: ReadonlySet<string>): Promise<void> {
    this.#refuseUnlessUp();
    const specs = services.map(({ spec }) => spec);
    const problems = graphProblems(specs);
    if (problems.length > 0) throw new UsageError(problems.map(({ message }) => message).join("\n"));
    const kept = new Set(specs.map(({ name }) => name).filter((name) => !fresh.has(name)));
    const leaving = this.#fleet.members
      .map(({ planned }) => planned.spec.name)
      .filter((name) => !kept.has(name));
    const held = leaving.filter((name) => this.#is(name, isHeld));
    const due = leaving.filter((name) => this.#is(name, ({ isDue }) => isDue));
    const replacement = new Replacement(leaving, { held, due });
    this.#replacement = replacement;
    this.#dispatch({ type: "hold-requested", services: leaving });
    await this.#when(() => leaving.every((name) => !this.#is(name, ({ state }) => isAlive(state))));
    this.#replacement = undefined;
    this.#refuseUnlessUp();
    const known = this.#fleet;
    const next = this.#fleetOf(specs);
    next.takeOver(known, new Set([...fresh].filter((name) => !replacement.isHeld(name))));
    this.#fleet = next;
    this.#services = services;
    this.#effects.use(services);
    this.#schedule();
    const wanted = specs.filter(
      ({ name, schedule }) =>
        !schedule && !replacement.isHeld(name) && (fresh.has(name) || !known.member(name)),
    );
    this.#dispatch({ type: "start-requested", services: wanted.map(({ name }) => name) });
    for (const { name, schedule } of specs)
      if (schedule && replacement.due.has(name)) this.#dispatch({ type: "schedule-came-due", service: name });
  }

  /** Has something started, stopped or run, in order with everything else that happens. */
  order(order: Order): void {
    this.#dispatch(this.#replacement?.take(order) ?? order);
  }

  /** Hands a signal on to a service, if it runs. */
  forward(signal: string, service: string): void {
    const member = this.#fleet.member(service);
    if (member && isAlive(member.state)) this.#effects.signal(target(member), signal);
  }

  /** Adds what somebody else has to tell to the stream of events. */
  announce(event: NewRuntimeEvent): void {
    this.#emit(event);
  }

  /** The services and what they are doing, for reading. */
  get fleet(): Fleet {
    return this.#fleet;
  }

  /** Their order, for pictures. */
  get plan(): Plan {
    return this.#plan;
  }

  /** When a scheduled task is due next, in milliseconds since the Unix epoch. */
  nextRunMs(service: string): number | undefined {
    return this.#scheduler.nextRunMs(service);
  }

  /** What to add to the clock's times to get milliseconds since the Unix epoch. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs;
  }

  /** How far the shutdown has come; absent while there is none. */
  ledger(): LedgerStatus | undefined {
    return this.#ending.ledger();
  }

  /** Stops everything, in order. The first call's promise is everybody's. Never rejects. */
  shutdown(
    cause: ShutdownCause = { reason: "stopping: shutdown was called", exitCode: ExitCode.ok },
  ): Promise<ShutdownReport> {
    return this.#ending.begin(cause);
  }

  /** Resolves when the runtime has ended, whoever asked for it. */
  get ended(): Promise<ShutdownReport> {
    return this.#ending.ended;
  }

  /** Graceful at first; a later one, more than 100 ms after, forces: everything is killed, and the end waits for nothing else. */
  onSignal(signal: string): void {
    this.#emit({ type: "signal-received", signal });
    this.#ending.onSignal(signal);
  }

  /** Throws `UsageError` for a name that is not registered. */
  markReady(service: string): void {
    const member = this.#fleet.member(service);
    if (!member) throw new UsageError(`cannot mark '${service}' ready: no such service`);
    this.#dispatch({ type: "service-marked-ready", service, incarnation: member.incarnation });
  }

  /** Rejects with `TimeoutError`, naming who is not ready, after `timeoutMs`, or at once when the runtime ends. */
  waitForAllReady({ timeoutMs }: { timeoutMs: number }): Promise<void> {
    const [clock, snapshot] = [this.#clock, () => this.snapshot()];
    return waitUntilReady({ clock, timeoutMs, snapshot, watch: (check) => this.#watch(check) });
  }

  addBackgroundTask(task: BackgroundTask): void {
    this.#background.add(task);
  }

  addShutdownTask(task: ShutdownTask): void {
    this.#shutdownTasks.push(task);
  }

  snapshot(): Snapshot {
    const { version } = this.#fleet;
    if (this.#snapshot?.version !== version || this.#snapshot.value.state !== this.#state) {
      const value = createSnapshot(this.#fleet, {
        state: this.#state,
        stateSinceMs: this.#stateSinceMs,
        started: this.#startedOnce,
        wallOffsetMs: this.#wallOffsetMs,
        nextRunMs: (service) => this.nextRunMs(service),
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
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        for (const effect of this.#fleet.fold(next, this.#clock.now())) this.#perform(effect);
        this.#noteBoot();
      }
    } finally {
      this.#looping = false;
    }
    for (const check of this.#waiters) check();
  }

  #refuseUnlessUp(): void {
    if (this.#state !== "started" && this.#state !== "starting")
      throw new UsageError(`the runtime is ${this.#state}`);
  }

  #is(service: string, holds: (member: FleetMember) => boolean): boolean {
    const member = this.#fleet.member(service);
    return member !== undefined && holds(member);
  }

  #fleetOf(specs: readonly ServiceSpec[]): Fleet {
    const { startup, endures = false, random = Math.random } = this.#options;
    const { concurrency, onFailure } = startup;
    this.#plan = createPlan(specs);
    return new Fleet(this.#plan, { concurrency, onFailure, endures, random });
  }

  /** Resolves once this holds, which is looked at after every turn of the loop. */
  #when(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return;
        unwatch();
        resolve();
      };
      const unwatch = this.#watch(check);
      check();
    });
  }

  /** Has `check` called after every turn of the loop, until the function that this returns is called. */
  #watch(check: () => void): () => void {
    this.#waiters.add(check);
    return () => void this.#waiters.delete(check);
  }

  #schedule(): void {
    const schedules = new Map<string, Schedule>();
    for (const { spec, schedule } of this.#services) if (schedule) schedules.set(spec.name, schedule);
    this.#scheduler.use(schedules);
  }

  #perform(effect: Effect): void {
    if (effect.type === "announce") this.#emit({ ...effect, type: "service-state-changed" });
    else if (effect.type === "give-up") this.#giveUp(effect);
    else this.#effects.perform(effect);
  }

  /** Startup is over once all have settled, or nothing moves and nothing is left that could move something. */
  #noteBoot(): void {
    const { boot } = this.#fleet;
    const isOver = boot === "settled" || (boot === "held" && this.#queue.length === 0);
    if (this.#state !== "starting" || !isOver) return;
    this.#cancelStartupTimeout();
    this.#startedOnce = true;
    // Whoever is told of the start may ask for the next runs.
    this.#schedule();
    this.#enter("started");
    this.#background.start();
    this.#bootDone?.resolve();
  }

  #giveUp(cause: Extract<Effect, { type: "give-up" }>): void {
    if (cause.service === undefined) this.#bootDone?.resolve();
    const { service, exitCode } = cause;
    void this.shutdown({ reason: causeInWords(cause), exitCode, ...(service !== undefined && { service }) });
  }

  /** Nothing new begins by itself. */
  #quiesce(): void {
    this.#cancelStartupTimeout();
    this.#scheduler.stop();
    // A startup that is cancelled goes no further, also while requests are still waited for.
    if (this.#state === "starting") this.#dispatch({ type: "boot-cancelled" });
  }

  #onEnded({ reason, exitCode }: ShutdownReport): void {
    this.#effects.release();
    this.#enter("destroyed");
    this.#bootDone?.reject(new StartupError(this.#ending.cause?.reason ?? reason, { exitCode }));
    for (const check of this.#waiters) check();
  }

  #enter(state: RuntimeState): void {
    const from = this.#state;
    this.#state = state;
    this.#stateSinceMs = this.#clock.now();
    this.#emit({ type: "runtime-state-changed", from, to: state });
  }

  #emit(event: NewRuntimeEvent): void {
    // Stamped in place: there are several for every service, and a copy of each is a tenth of a large start.
    const stamped = event as RuntimeEvent;
    stamped.atMs = this.#clock.now() + this.#wallOffsetMs;
    this.#options.emit(stamped);
  }
}
