// Watches a simulation and checks at every step what must always hold. Keeps its own account of every service, made of what was
// announced and of what really happened; the first breach is kept with its name, and nothing is decided from it.
import type { Fleet } from "../../src/core/fleet.ts";
import type { PlannedDependency, PlannedService } from "../../src/core/plan.ts";
import type { RuntimeState } from "../../src/core/snapshot.ts";
import type { StateName } from "../../src/core/service-state.ts";
import type { LaunchOutcome } from "../../src/ports/launcher.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import type { Supervisor } from "../../src/runtime/supervisor.ts";
import type { Life } from "./body.ts";
import type { VirtualClock } from "./clock.ts";
import type { Scenario } from "./scenario.ts";
import { Trace } from "./trace.ts";

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: string;
  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

/** What the auditor knows of a service. */
export interface Account {
  state: StateName;
  reason?: string;
  /** It has been up in some life. */
  everUp: boolean;
  /** It was to come up when the boot was over. */
  late: boolean;
  /** This life has been launched, as the runtime was told. */
  launched: boolean;
  /** A probe of this life has passed. */
  passed: boolean;
  /** Somebody has stopped it. */
  held: boolean;
  /** When it was restarted by its policy, since somebody last had a hand in it. */
  restartsMs: number[];
  /** The state before. */
  before: StateName;
  /** How this life ended. */
  exit?: Extract<LaunchOutcome, { type: "exited" | "failed" }>;
  /** How the last one ended that had been launched. */
  lastExit?: Extract<LaunchOutcome, { type: "exited" }>;
  failedAtMs?: number;
}

const ALIVE: readonly StateName[] = ["starting", "started", "ready", "unready", "stopping"];
const UP: readonly StateName[] = ["started", "ready", "unready"];

export class Auditor {
  readonly trace: Trace;
  readonly #clock: VirtualClock;
  readonly #scenario: Scenario;
  readonly #accounts = new Map<string, Account>();
  readonly #lives = new Map<string, Life>();
  /** Lives of which something may still run. */
  #remains: Life[] = [];
  readonly #stops = new Set<Life>();
  #supervisor: Supervisor | undefined;
  #state: RuntimeState = "uninitialized";
  /** How many reloads are under way. */
  reloading = 0;
  violation: Violation | undefined;
  /** Why nothing may be launched any more. */
  #noLaunch: string | undefined;
  /** How the end began; `blamed` is the account of the service that brought it about. */
  began: { atMs: number; state: RuntimeState; service?: string; blamed?: Account } | undefined;
  endedAtMs: number | undefined;
  /** Something still ran when the services had had their time. */
  servicesLeft = false;
  /** When the last stage of the shutdown was over. */
  stagesEndedAtMs: number | undefined;
  #stage = 0;

  constructor(scenario: Scenario, clock: VirtualClock, trace: Trace) {
    this.#scenario = scenario;
    this.#clock = clock;
    this.trace = trace;
  }

  watch(supervisor: Supervisor): void {
    this.#supervisor = supervisor;
  }

  breach(invariant: string, message: string): void {
    this.violation ??= new Violation(invariant, `${message} (at ${this.#clock.now()} ms)`);
  }

  account(service: string): Account {
    let account = this.#accounts.get(service);
    if (!account) {
      account = {
        state: "pending",
        before: "pending",
        everUp: false,
        late: false,
        launched: false,
        passed: false,
        held: false,
        restartsMs: [],
      };
      this.#accounts.set(service, account);
    }
    return account;
  }

  get #fleet(): Fleet {
    return (this.#supervisor as Supervisor).fleet;
  }

  // ── what really happens ──

  launched(life: Life): void {
    const { service, incarnation } = life;
    this.trace.add(`launch ${service} ${incarnation}`);
    this.#remains = this.#remains.filter(({ alive }) => alive);
    if (this.#remains.some((other) => other.service === service))
      this.breach("one-instance", `'${service}' was launched while an earlier instance lives`);
    this.#remains.push(life);
    this.#lives.set(service, life);
    const account = this.account(service);
    account.launched = false;
    account.passed = false;
    delete account.exit;
    const member = this.#fleet.member(service);
    account.late = member !== undefined && !this.#fleet.isComing(member);
    if (account.held) this.breach("held-stays-down", `'${service}' was launched, which somebody stopped`);
    if (this.#noLaunch)
      this.breach("nothing-starts-at-the-end", `'${service}' was launched: ${this.#noLaunch}`);
    for (const dependency of member?.planned.dependencies ?? []) {
      if (this.holds(dependency) || (!dependency.required && this.isLost(dependency))) continue;
      const states = dependency.indexes.map((index) => this.#stateAt(index)).join(", ");
      const { service: needed, condition } = dependency;
      this.breach(
        "dependencies-hold",
        `'${service}' was launched with '${needed}' ${states}, not ${condition}`,
      );
    }
  }

  signalled(life: Life, kind: "stop" | "kill"): void {
    const { service, incarnation } = life;
    this.trace.add(`${kind} ${service} ${incarnation}`);
    if (life.over)
      this.breach("no-signal-after-exit", `${kind} for '${service}' ${incarnation}, which has ended`);
    if (kind === "kill") return;
    if (this.#stops.has(life)) this.breach("one-stop", `'${service}' ${incarnation} was stopped twice`);
    this.#stops.add(life);
    const isOwnFault = this.account(service).reason !== undefined;
    if (this.#stage === 3 && !isOwnFault) this.#checkStopOrder(service);
  }

  reported(life: Life, outcome: LaunchOutcome): void {
    const { service, incarnation } = life;
    this.trace.add(`${outcome.type} ${service} ${incarnation} ${JSON.stringify(outcome)}`);
    if (outcome.type === "launched") return;
    this.account(service).exit = outcome;
    if (outcome.type === "exited") this.account(service).lastExit = outcome;
    this.#stops.delete(life);
  }

  probed(life: Life | undefined): void {
    if (life && this.#lives.get(life.service) === life) this.account(life.service).passed = true;
  }

  // ── what the runtime says ──

  happened(event: RuntimeEvent): void {
    const { atMs: _, ...rest } = event;
    this.trace.add(JSON.stringify(rest));
    // What was killed may take its time to be gone.
    const isLate = event.type === "service-state-changed" && event.from === "stopping";
    const isAnswer = event.type === "service-exited" || event.type === "reload-refused";
    if (this.endedAtMs !== undefined && !isAnswer && !isLate)
      this.breach("silence-after-the-end", JSON.stringify(rest));
    switch (event.type) {
      case "service-state-changed":
        return this.#changed(event);
      case "service-launched":
        this.account(event.service).launched = true;
        return;
      case "order-received":
        for (const service of event.services) {
          this.account(service).held = event.action === "stop" && !this.#isDone(service);
          this.account(service).restartsMs = [];
        }
        return;
      case "schedule-came-due":
        this.account(event.service).restartsMs = [];
        return;
      case "runtime-state-changed":
        this.#state = event.to;
        if (event.to === "destroyed") this.endedAtMs = this.#clock.now();
        return;
      case "shutdown-began": {
        const { service } = event;
        const blamed = service === undefined ? {} : { service, blamed: { ...this.account(service) } };
        this.began = { atMs: this.#clock.now(), state: this.#state, ...blamed };
        if (service !== undefined && this.isNoLoss(this.#fleet.member(service)?.planned))
          this.breach("a-late-start-ends-nothing", `'${service}' has never been up, and ends the runtime`);
        if (this.#state === "starting") this.#noLaunch = "startup is being rolled back";
        return;
      }
      case "stage-ended":
        this.#stage++;
        this.stagesEndedAtMs = this.#clock.now();
        if (event.stage === "services")
          this.servicesLeft = [...this.#lives.values()].some(({ over }) => !over);
        if (event.stage === "tasks") this.#noLaunch = "services are being stopped";
        return;
      default:
    }
  }

  /** Another config is in force. */
  reloaded({ removed, changed }: { removed: readonly string[]; changed: readonly string[] }): void {
    for (const service of removed) {
      this.#accounts.delete(service);
      this.#lives.delete(service);
    }
    for (const service of changed) {
      if (this.#fleet.member(service)?.state.name === "pending") this.#beginAnew(this.account(service));
    }
  }

  /** Another plan has put a new one in its place, of which nothing is known. */
  #beginAnew(account: Account): void {
    Object.assign(account, { state: "pending", before: "pending", everUp: false, restartsMs: [] });
    delete account.lastExit;
    delete account.failedAtMs;
  }

  // ── what must hold ──

  /** To be called when everything that can happen now has. */
  check(): void {
    const fleet = this.#fleet;
    let starting = 0;
    for (const { planned, state, incarnation } of fleet.members) {
      const { name } = planned.spec;
      starting += Number(state.name === "starting");
      const account = this.account(name);
      if (account.state !== state.name)
        this.breach("every-state-is-told", `'${name}' is ${state.name}, and ${account.state} was announced`);
      const life = this.#lives.get(name);
      const lives = life !== undefined && !life.over;
      if (lives !== ALIVE.includes(state.name) || (life?.incarnation ?? 0) !== incarnation)
        this.breach(
          "no-event-lost",
          `'${name}' is ${state.name} ${incarnation}, and really ${lives ? "lives" : "does not live"}`,
        );
    }
    if (starting > this.#scenario.concurrency)
      this.breach("concurrency", `${starting} services are starting`);
    if (this.#supervisor?.snapshot().ready) this.#checkReadiness();
  }

  /** Whether a dependency is met, by what was announced. */
  holds({ condition, indexes }: PlannedDependency): boolean {
    const isMet = (index: number) => {
      const { state, launched } = this.#accountAt(index);
      if (condition === "completed") return state === "completed";
      if (condition === "ready") return state === "ready" || state === "completed";
      return UP.includes(state) || state === "completed" || (state === "starting" && launched);
    };
    return condition === "ready" ? indexes.some(isMet) : indexes.every(isMet);
  }

  /** Whether it can not be met any more. */
  isLost({ condition, indexes }: PlannedDependency): boolean {
    const isGone = (index: number) => {
      const state = this.#fleet.members[index]?.state;
      const isHeld = state?.name === "stopped" && state.held === true;
      return ["failed", "skipped", "stopped"].includes(this.#stateAt(index)) && !isHeld;
    };
    return condition === "ready" ? indexes.every(isGone) : indexes.some(isGone);
  }

  /** Another of its replicas is there, or will be. */
  isReplaced({ spec, replicas }: PlannedService): boolean {
    return replicas.some((index) => {
      const other = this.#fleet.members[index];
      const isGone = ["failed", "skipped", "stopped"].includes(this.#stateAt(index));
      return other !== undefined && other.planned.spec.name !== spec.name && !isGone;
    });
  }

  /** The runtime was there before it, and can be without it. */
  isNoLoss(planned: PlannedService | undefined): boolean {
    if (!planned || planned.spec.schedule) return false;
    return this.account(planned.spec.name).late && !this.wasEverUp(planned);
  }

  wasEverUp({ replicas }: PlannedService): boolean {
    return replicas.some((index) => this.#accountAt(index).everUp);
  }

  #changed({
    service,
    incarnation,
    from,
    to,
    reason,
  }: Extract<RuntimeEvent, { type: "service-state-changed" }>): void {
    const account = this.account(service);
    const life = this.#lives.get(service);
    const expected = (life?.incarnation ?? 0) + Number(to === "starting");
    if (incarnation !== expected)
      this.breach("right-incarnation", `'${service}' is ${to} in ${incarnation}, its life is ${expected}`);
    if (this.reloading > 0 && from === "pending" && account.state !== "pending") this.#beginAnew(account);
    if (from !== account.state)
      this.breach("every-state-is-told", `'${service}' went from ${from} to ${to}, and was ${account.state}`);
    account.before = account.state;
    account.state = to;
    // Nothing waits in vain for what it needs, in a boot, and lets the runtime come up.
    if (to === "skipped") account.late = this.#state === "started";
    if (to === "failed") account.failedAtMs = this.#clock.now();
    delete account.reason;
    if (reason !== undefined) account.reason = reason;
    if (UP.includes(to)) account.everUp = true;
    if (to === "ready" && this.#isProbed(service) && !account.passed)
      this.breach("ready-after-a-pass", `'${service}' is ready and no probe of it has passed`);
    if (to === "backoff") this.#checkRestarts(service, account);
  }

  /** What a task has done stays done, whoever stops it. */
  #isDone(service: string): boolean {
    const { schedule } = this.#fleet.member(service)?.planned.spec ?? {};
    return this.account(service).state === "completed" && !schedule;
  }

  #isProbed(service: string): boolean {
    return this.#fleet.member(service)?.readiness === "probe";
  }

  #checkRestarts(service: string, account: Account): void {
    const { restart } = this.#fleet.member(service)?.planned.spec ?? {};
    if (!restart) return;
    const now = this.#clock.now();
    account.restartsMs = [...account.restartsMs.filter((at) => at > now - restart.limit.windowMs), now];
    if (account.restartsMs.length > restart.limit.count)
      this.breach("restart-limit", `'${service}' restarts ${account.restartsMs.length} times in its window`);
  }

  #checkReadiness(): void {
    if (this.#state !== "started") this.breach("honest-readiness", `ready while ${this.#state}`);
    for (const { planned } of this.#fleet.members) {
      const { name, critical, schedule } = planned.spec;
      const { state } = this.account(name);
      if (!critical || schedule || state === "ready" || state === "completed") continue;
      const isGivenUp = state === "failed" || state === "skipped";
      const isTolerated = this.#scenario.onFailure === "continue" && !this.wasEverUp(planned);
      if ((isGivenUp && isTolerated) || ((isGivenUp || state === "stopped") && this.isReplaced(planned)))
        continue;
      this.breach("honest-readiness", `ready while '${name}', which is critical, is ${state}`);
    }
  }

  #checkStopOrder(service: string): void {
    const planned = this.#fleet.member(service)?.planned;
    if (!planned) return;
    for (const other of this.#fleet.members) {
      const isBefore = planned.dependents.includes(other.index) || other.planned.phase > planned.phase;
      if (isBefore && ALIVE.includes(this.#stateAt(other.index)))
        this.breach("stop-order", `'${service}' was stopped before '${other.planned.spec.name}'`);
    }
  }

  #accountAt(index: number): Account {
    return this.account(this.#fleet.members[index]?.planned.spec.name ?? "");
  }

  #stateAt(index: number): StateName {
    return this.#accountAt(index).state;
  }
}
