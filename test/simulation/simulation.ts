// One simulation: the real supervisor and operator in a scripted world, from the first event to the last timer, all of it drawn from
// one seed. Throws the first breach of what must always hold.
import { budgetMs } from "../../src/core/budget.ts";
import type { SupervisedService } from "../../src/runtime/effects.ts";
import { Operator } from "../../src/runtime/operator.ts";
import type { ShutdownReport } from "../../src/runtime/shutdown.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { Auditor, Violation } from "./auditor.ts";
import { type Life, launcherOf, probeOf, type World } from "./body.ts";
import { settle, VirtualClock } from "./clock.ts";
import { judgeReport } from "./oracle.ts";
import { Random } from "./random.ts";
import { drawReading } from "./reading.ts";
import { type Deed, type Draft, drawScenario, type Scenario } from "./scenario.ts";
import { restlessness } from "./settled.ts";
import { addTasks, scriptedGate, type Surroundings } from "./surroundings.ts";
import { Trace } from "./trace.ts";

export interface Outcome {
  report: ShutdownReport;
  hash: string;
  /** How many things happened. */
  count: number;
  endedAtMs: number;
}

/** So long may a world without faults take to come to rest. */
const SETTLE_MS = 60_000;
/** In which time a run that does not end would have gone through that many timers; a day needs more. */
const TURNS_MAX = 100_000;
/** What the closing of the port, and a forced end, may take beyond the budget. */
const CLOSE_MS = 250;
const FORCED_MS = 40;

export interface SimulateOptions {
  /** Default: drawn from the seed. */
  scenario?: Scenario;
  /** Is given the story, kept line by line, whatever comes of it. */
  onTrace?: (trace: Trace) => void;
  /** Called with the clock every so often, for a look at what has become of it. */
  every?: { ms: number; look: (clock: VirtualClock, supervisor: Supervisor) => void };
}

export async function simulate(
  seed: number,
  { scenario, onTrace, every }: SimulateOptions = {},
): Promise<Outcome> {
  const random = new Random(seed);
  const clock = new VirtualClock();
  const trace = new Trace(clock, { keep: onTrace !== undefined });
  onTrace?.(trace);
  const simulation = new Simulation(scenario ?? drawScenario(random.fork("scenario")), {
    random,
    clock,
    trace,
  });
  const again = ({ ms, look }: NonNullable<SimulateOptions["every"]>) =>
    clock.later(ms, () => {
      look(clock, simulation.supervisor);
      if (simulation.supervisor.state !== "destroyed") again({ ms, look });
    });
  if (every) again(every);
  return simulation.run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #clock: VirtualClock;
  readonly #audit: Auditor;
  readonly #world: World;
  readonly #supervisor: Supervisor;
  readonly #operator: Operator;
  readonly #signals: { signal: NodeJS.Signals; atMs: number }[] = [];
  /** Old lives whose launcher may still say something. */
  readonly #ghosts: Life[] = [];
  #drafts: readonly Draft[];
  #report: ShutdownReport | undefined;
  #hasReloaded = false;

  constructor(
    scenario: Scenario,
    { random, clock, trace }: { random: Random; clock: VirtualClock; trace: Trace },
  ) {
    this.#scenario = scenario;
    this.#random = random.fork("deeds");
    this.#clock = clock;
    this.#audit = new Auditor(scenario, clock, trace);
    this.#drafts = scenario.drafts;
    const streams = new Map<string, Random>();
    this.#world = {
      clock,
      audit: this.#audit,
      faulty: true,
      lives: new Map(),
      fates(service) {
        const stream = streams.get(service) ?? random.fork(service);
        streams.set(service, stream);
        return stream;
      },
      markReady: (service) => {
        if (this.#supervisor.fleet.member(service)) this.#supervisor.markReady(service);
      },
    };
    const jitter = random.fork("jitter");
    this.#supervisor = new Supervisor({
      clock,
      emit: (event) => {
        this.#audit.happened(event);
        this.#operator.observe(event);
      },
      startup: {
        timeoutMs: scenario.startupTimeoutMs,
        concurrency: scenario.concurrency,
        onFailure: scenario.onFailure,
      },
      shutdown: { budgetMs: scenario.budgetMs, drainMs: scenario.drainMs },
      kubernetes: scenario.kubernetes,
      endures: scenario.endures,
      ...(scenario.exitCodeFrom !== undefined && { exitCodeFrom: scenario.exitCodeFrom }),
      ...(scenario.hasGate && { gate: scriptedGate(this.#surroundings("gate")) }),
      random: () => jitter.next(),
    });
    this.#audit.watch(this.#supervisor);
    this.#operator = new Operator({
      supervisor: this.#supervisor,
      name: "simulation",
      version: "0",
      pid: 1,
      limits: () => ({}),
      read: () => this.#read(),
      reloadsEarly: scenario.endures,
    });
  }

  get supervisor(): Supervisor {
    return this.#supervisor;
  }

  async run(): Promise<Outcome> {
    const scenario = this.#scenario;
    addTasks(this.#supervisor, scenario, this.#surroundings("tasks"));
    void this.#supervisor.ended.then((report) => (this.#report = report));
    const booting = this.#supervisor.run(this.#drafts.map((draft) => this.#supervise(draft))).catch(() => {});
    for (const { atMs, deed } of this.#scenario.deeds) this.#clock.later(atMs, () => this.#do(deed));
    this.#clock.later(this.#scenario.faultsEndMs, () => this.#endFaults());
    await settle();
    this.#check();
    for (let turn = 0; this.#report === undefined; turn++) {
      if (turn > TURNS_MAX && this.#clock.now() < this.#scenario.faultsEndMs) turn = 0;
      else if (turn > TURNS_MAX) this.#audit.breach("every-run-ends", `it goes on after ${TURNS_MAX} turns`);
      else if (!(await this.#clock.turn()))
        this.#audit.breach("every-run-ends", "nothing can happen any more, and it has not ended");
      this.#check();
    }
    await booting;
    await this.#checkEnd(this.#report);
    const { hash, count } = this.#audit.trace;
    return { report: this.#report, hash, count, endedAtMs: this.#audit.endedAtMs ?? 0 };
  }

  #surroundings(what: string): Surroundings {
    return {
      clock: this.#clock,
      random: this.#random.fork(what),
      isOver: () => this.#report !== undefined,
      breach: (invariant, message) => this.#audit.breach(invariant, message),
    };
  }

  #check(): void {
    this.#audit.check();
    if (this.#audit.violation) throw this.#audit.violation;
  }

  // ── the end ──

  async #checkEnd(report: ShutdownReport): Promise<void> {
    const { audit, scenario } = { audit: this.#audit, scenario: this.#scenario };
    const endedAtMs = audit.endedAtMs ?? NaN;
    const fail = (invariant: string, message: string): never => {
      throw new Violation(invariant, message);
    };
    if (this.#supervisor.state !== "destroyed")
      fail("every-run-ends", `it has ended ${this.#supervisor.state}`);
    if (this.#clock.armed > 0) fail("no-timer-left", `${this.#clock.armed} timers are left on the clock`);
    const names = this.#drafts.filter(({ spec }) => spec.critical).map(({ spec }) => spec.name);
    const facts = { audit, scenario, signals: this.#signals, hasReloaded: this.#hasReloaded, names };
    const wrong = judgeReport(report, facts);
    if (wrong) fail("exit-code", wrong);
    const tookMs = endedAtMs - (audit.began?.atMs ?? NaN);
    const graceMs = (scenario.hasGate ? CLOSE_MS : 0) + (report.forced ? FORCED_MS : 0);
    const allowedMs = budgetMs(scenario.budgetMs, scenario) + graceMs;
    if (!(tookMs <= allowedMs + 1e-6)) fail("within-budget", `it took ${tookMs} ms of ${allowedMs}`);
    const [first] = this.#signals;
    const second = this.#signals.find(({ atMs }) => first && atMs - first.atMs > 100);
    if (second && endedAtMs - second.atMs > 50)
      fail("forced-in-time", `${endedAtMs - second.atMs} ms after the second signal`);
    // What the world still has in store must not wake anything.
    for (
      const untilMs = this.#clock.now() + 3_000;
      this.#clock.now() < untilMs && (await this.#clock.turn());
    )
      if (audit.violation) throw audit.violation;
    if (this.#clock.armed > 0) fail("no-timer-left", "a timer was set after the end");
  }

  /** Everything behaves from now on; what has been left undone is done. */
  #endFaults(): void {
    this.#audit.trace.add("faults end");
    this.#world.faulty = false;
    for (const { spec } of this.#drafts) if (spec.readiness === "manual") this.#world.markReady(spec.name);
    this.#rest(this.#clock.now() + SETTLE_MS);
  }

  /** Waits until the world has come to rest, and ends it. */
  #rest(untilMs: number): void {
    if (this.#report || this.#audit.began) return;
    for (const { spec } of this.#drafts) if (spec.readiness === "manual") this.#world.markReady(spec.name);
    const found = restlessness(this.#supervisor.fleet, this.#audit, this.#scenario);
    if (this.#supervisor.state === "starting" || this.#audit.reloading > 0)
      found.push({
        invariant: "settles",
        message: `it is still ${this.#audit.reloading ? "reloading" : "starting"}`,
      });
    const [first] = found;
    if (!first) {
      this.#look();
      return void this.#clock.later(this.#random.between(0, 300), () => this.#finish());
    }
    if (this.#clock.now() < untilMs) return void this.#clock.later(100, () => this.#rest(untilMs));
    this.#audit.breach(first.invariant, first.message);
  }

  #finish(): void {
    this.#world.faulty = this.#scenario.endsBadly;
    const victims = this.#drafts.flatMap(({ spec }) => this.#world.lives.get(spec.name) ?? []);
    const crash = this.#random.pick([...victims, undefined])?.crash;
    if (this.#scenario.ending === "crash" && crash) crash(this.#random.pick([0, 5]));
    else if (this.#scenario.ending === "shutdown") this.#operator.shutdown("somebody asked for it");
    else this.#signal();
    // A crash need not end it, and what it brings about may come later.
    this.#clock.later(20_000, () => this.#signals.length === 0 && !this.#report && this.#signal());
  }

  // ── what is done to it ──

  #do(deed: Deed): void {
    if (this.#report) return;
    switch (deed) {
      case "start":
      case "stop":
      case "restart": {
        const names = this.#random
          .some(this.#drafts, 0.25)
          .map(({ spec }) => this.#random.pick([spec.name, spec.group]));
        const cascade = this.#random.chance(0.6);
        if (names.length > 0) void this.#operator.act(deed, [...new Set(names)], { cascade });
        return;
      }
      case "reload":
        return void this.#reload();
      case "signal":
        return this.#signal();
      case "ghost":
        return this.#haunt();
      case "look":
        return this.#look();
      default:
        return deed satisfies never;
    }
  }

  #signal(): void {
    const give = () => {
      if (this.#report) return;
      const signal = this.#random.pick(["SIGTERM", "SIGINT"] as const);
      this.#signals.push({ signal, atMs: this.#clock.now() });
      this.#supervisor.onSignal(signal);
    };
    const isFirst = this.#signals.length === 0;
    give();
    const { secondSignalMs } = this.#scenario;
    if (isFirst && secondSignalMs !== undefined) this.#clock.later(secondSignalMs, give);
  }

  /** A launcher says something of a life that is over. */
  #haunt(): void {
    const ghost = this.#random.pick([...this.#ghosts, undefined]);
    if (!ghost?.over) return;
    const { version } = this.#supervisor.fleet;
    this.#audit.trace.add(`ghost of ${ghost.service} ${ghost.incarnation}`);
    ghost.report({ type: "exited", code: 66, signal: null });
    if (this.#supervisor.fleet.version !== version)
      this.#audit.breach("right-incarnation", `an old life of '${ghost.service}' changed something`);
  }

  /** Everything that can be looked at can be, at any time. */
  #look(): void {
    const { blockedBy, ready } = this.#operator.runtime();
    if (ready !== (blockedBy.length === 0)) this.#audit.breach("honest-readiness", "ready and blocked");
    for (const { state, blockedBy: waitsFor, name } of this.#operator.services()) {
      const isTold = state !== "pending" || waitsFor.length > 0 || this.#operator.service(name)?.reason;
      if (!isTold) this.#audit.breach("pending-for-a-reason", `'${name}' does not say why it is pending`);
    }
    this.#operator.timeline();
    this.#operator.graph("dot");
  }

  async #reload(): Promise<void> {
    const { fleet } = this.#supervisor;
    this.#audit.reloading++;
    const outcome = await this.#operator.reload();
    this.#audit.reloading--;
    if (outcome.ok) this.#audit.reloaded(outcome);
    else if (this.#supervisor.fleet !== fleet)
      this.#audit.breach("refused-reload-changes-nothing", outcome.problems.join("; "));
  }

  async #read() {
    await new Promise<void>((resolve) => void this.#clock.later(this.#random.pick([0, 0, 30]), resolve));
    const reading = drawReading(this.#drafts, this.#random, this.#scenario);
    const kept = new Map(this.#drafts.map((draft) => [draft, this.#supervised.get(draft)]));
    const { added, changed, removed } = reading;
    return {
      services: reading.drafts.map((draft) => kept.get(draft) ?? this.#supervise(draft)),
      added,
      changed,
      removed,
      applied: () => {
        this.#drafts = reading.drafts;
        this.#hasReloaded = true;
      },
    };
  }

  readonly #supervised = new Map<Draft, SupervisedService>();

  #supervise(draft: Draft): SupervisedService {
    const { spec, probes, periodMs } = draft;
    const watched = (kind: "startup" | "liveness" | "readiness") => ({
      probe: probeOf(draft, this.#world, kind),
      schedule: probes,
    });
    const launcher = launcherOf(draft, this.#world);
    const service: SupervisedService = {
      spec,
      launcher: {
        launch: (incarnation, report) => {
          const running = launcher.launch(incarnation, report);
          const life = this.#world.lives.get(spec.name);
          if (life) this.#ghosts.push(life);
          if (this.#ghosts.length > 8) this.#ghosts.shift();
          return running;
        },
      },
      ...(spec.startupProbe && { startup: watched("startup") }),
      ...(spec.livenessProbe && { liveness: watched("liveness") }),
      ...(spec.readiness === "probe" && { readiness: watched("readiness") }),
      ...(periodMs !== undefined && {
        schedule: { next: (afterMs) => Math.floor(afterMs / periodMs + 1) * periodMs },
      }),
    };
    this.#supervised.set(draft, service);
    return service;
  }
}
