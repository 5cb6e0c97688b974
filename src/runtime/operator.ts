// What an operator sees and can do, over the supervisor: the Control and StatusSource ports. It translates names and answers;
// what follows from an order is the fleet's business, and reading a config is handed in.
import { blockersOf, problemOf } from "../core/blockers.ts";
import type { Order } from "../core/event.ts";
import { type FleetMember, restartsOf } from "../core/member.ts";
import { called, dependentsOf, missingNeed, withFollowers, withNeeds } from "../core/selection.ts";
import { isAlive } from "../core/service-state.ts";
import { ConfigError, messageOf } from "../errors.ts";
import type {
  ActionOutcome,
  Control,
  Limits,
  ReloadOutcome,
  RuntimeStatus,
  ServiceAction,
  ServiceStatus,
  StatusSource,
  Timeline,
} from "../ports/control.ts";
import type { RuntimeEvent } from "../ports/runtime-event.ts";
import type { SupervisedService } from "./effects.ts";
import { asDot, asMermaid } from "./picture.ts";
import type { Supervisor } from "./supervisor.ts";
import { TimelineRecorder } from "./timeline.ts";

/** The services as another reading of the config has them. */
export interface NextServices {
  services: readonly SupervisedService[];
  /** Names of those that are new, are another than before, or are gone. */
  added: readonly string[];
  changed: readonly string[];
  removed: readonly string[];
}

export interface OperatorOptions {
  supervisor: Supervisor;
  name: string;
  version: string;
  pid: number;
  limits: () => Limits;
  /**
   * Reads the config again. Throws `ConfigError`, or `UsageError` for a change that needs a restart of the runtime. `applied` of
   * the result is called once it is in force. Absent: there is none to read.
   */
  read?: () => Promise<NextServices & { applied: () => void }>;
  /** A reload need not wait until startup is over. Default: false. */
  reloadsEarly?: boolean;
}

const ORDERS = {
  start: "start-requested",
  stop: "hold-requested",
  restart: "restart-requested",
} as const satisfies Record<ServiceAction, Order["type"]>;

/** Why what was abandoned does not start again, and what to do. */
export const ABANDONED =
  "an earlier instance overran its time and still runs in this process; restart the runtime";

export class Operator implements Control, StatusSource {
  readonly #options: OperatorOptions;
  readonly #recorder = new TimelineRecorder();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #reloading: Promise<ReloadOutcome> | undefined;
  #nextReload: Promise<ReloadOutcome> | undefined;
  /** A signal has asked for one before there was anything to reload. */
  #isReloadDue = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** To be shown everything that happens. */
  observe(event: RuntimeEvent): void {
    this.#recorder.observe(event);
    for (const listener of this.#listeners) listener(event);
    if (!this.#isReloadDue || event.type !== "runtime-state-changed" || event.to !== "started") return;
    this.#isReloadDue = false;
    // When whoever is told of the start has been told.
    queueMicrotask(() => void this.reload());
  }

  // ── looking ──

  runtime(): RuntimeStatus {
    const { supervisor, name, version, pid, limits } = this.#options;
    const { state, ready, blockedBy } = supervisor.snapshot();
    const ledger = supervisor.ledger();
    const uptimeMs = supervisor.uptimeMs();
    return {
      name,
      version,
      pid,
      state,
      ready,
      uptimeMs,
      blockedBy,
      limits: limits(),
      ...(ledger && { ledger }),
    };
  }

  services(): readonly ServiceStatus[] {
    return this.#options.supervisor.fleet.members.map((member) => this.#statusOf(member));
  }

  service(name: string): ServiceStatus | undefined {
    const member = this.#options.supervisor.fleet.member(name);
    return member && this.#statusOf(member);
  }

  timeline(): Timeline {
    return this.#recorder.timeline(this.#options.supervisor.plan);
  }

  graph(format: "dot" | "mermaid"): string {
    const { plan } = this.#options.supervisor;
    return format === "dot" ? asDot(plan) : asMermaid(plan);
  }

  on(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #statusOf(member: FleetMember): ServiceStatus {
    const world = this.#world();
    const { wallOffsetMs } = world;
    const { planned, state, pid, lastExit } = member;
    const { spec } = planned;
    const reason = problemOf(member, world);
    const nextRunMs = world.nextRunMs(spec.name);
    return {
      name: spec.name,
      group: spec.group,
      kind: spec.task ? "task" : spec.inProcess ? "module" : "process",
      state: state.name,
      sinceMs: state.sinceMs + wallOffsetMs,
      ...(reason !== undefined && { reason }),
      critical: spec.critical,
      ...(pid !== undefined && isAlive(state) && { pid }),
      restarts: restartsOf(member),
      ...(lastExit && { lastExit: { ...lastExit, atMs: lastExit.atMs + wallOffsetMs } }),
      blockedBy: blockersOf(member, world).slice(1),
      ...(nextRunMs !== undefined && { nextRunMs }),
      dependencies: spec.dependencies.map(({ service }) => service),
    };
  }

  #world() {
    const { supervisor } = this.#options;
    const { fleet, wallOffsetMs } = supervisor;
    return { fleet, wallOffsetMs, nextRunMs: (service: string) => supervisor.nextRunMs(service) };
  }

  // ── doing ──

  async act(
    action: ServiceAction,
    names: readonly string[],
    { cascade }: { cascade: boolean },
  ): Promise<ActionOutcome> {
    const { supervisor } = this.#options;
    const { fleet } = supervisor;
    const unknown = names.find((name) => called(fleet, name).length === 0);
    if (unknown !== undefined) {
      return { ok: false, kind: "unknown", reason: `cannot ${action} '${unknown}': no such service` };
    }
    if (supervisor.ledger()) {
      return {
        ok: false,
        kind: "conflict",
        reason: `cannot ${action} anything: the runtime is shutting down`,
      };
    }
    const members = [...new Set(names.flatMap((name) => called(fleet, name)))];
    const others = action === "start" ? [] : dependentsOf(fleet, members);
    if (others.length > 0 && !cascade && action === "stop") {
      const list = others.map((name) => `'${name}'`).join(", ");
      const reason = `cannot stop '${names.join("', '")}': ${list} ${others.length === 1 ? "needs" : "need"} it; stop those too with --cascade`;
      return { ok: false, kind: "conflict", reason };
    }
    const own = members.map(({ planned }) => planned.spec.name);
    const services = action === "start" ? withNeeds(fleet, members) : [...(cascade ? others : []), ...own];
    const abandoned = services.find((name) => fleet.isAbandoned(name));
    if (abandoned !== undefined && action !== "stop") {
      const reason = `cannot ${action} '${abandoned}': ${ABANDONED}`;
      return { ok: false, kind: "conflict", reason };
    }
    const restarting = services.flatMap((name) => called(fleet, name));
    const missing = action === "restart" && missingNeed(fleet, withFollowers(fleet, restarting));
    if (missing) {
      const { service, needs, fate } = missing;
      const reason = `cannot restart '${names.join("', '")}': '${service}' needs '${needs}', which ${fate}, and would not come up again; start '${needs}' first`;
      return { ok: false, kind: "conflict", reason };
    }
    supervisor.announce({ type: "order-received", action, services });
    supervisor.order({ type: ORDERS[action], services });
    return { ok: true, services };
  }

  /** One that comes while another is under way is carried out after it, together with all that have come by then. */
  reload(): Promise<ReloadOutcome> {
    if (this.#reloading) {
      return (this.#nextReload ??= this.#reloading.then(() => {
        this.#nextReload = undefined;
        return this.reload();
      }));
    }
    this.#reloading = this.#reloadAndTell().finally(() => (this.#reloading = undefined));
    return this.#reloading;
  }

  /** As a signal asks for it, which nobody repeats: during startup it is remembered until that is over. */
  reloadSoon(): void {
    if (this.#options.supervisor.state === "starting" && !this.#options.reloadsEarly)
      this.#isReloadDue = true;
    else void this.reload();
  }

  async #reloadAndTell(): Promise<ReloadOutcome> {
    const { supervisor } = this.#options;
    const outcome = await this.#reload();
    if (outcome.ok) {
      const { added, changed, removed } = outcome;
      supervisor.announce({ type: "config-reloaded", added, changed, removed });
    } else supervisor.announce({ type: "reload-refused", problems: outcome.problems });
    return outcome;
  }

  async #reload(): Promise<ReloadOutcome> {
    const { supervisor, read, reloadsEarly = false } = this.#options;
    if (!read) return { ok: false, problems: ["there is no config to read"] };
    if (supervisor.state !== "started" && !(reloadsEarly && supervisor.state === "starting"))
      return { ok: false, problems: [`the runtime is ${supervisor.state}`] };
    try {
      const { services, added, changed, removed, applied } = await read();
      await supervisor.replace(services, new Set(changed));
      applied();
      return { ok: true, added, changed, removed };
    } catch (error) {
      if (error instanceof ConfigError) return { ok: false, problems: error.message.split("\n") };
      return { ok: false, problems: [messageOf(error)] };
    }
  }

  shutdown(reason: string): void {
    void this.#options.supervisor.shutdown({ reason, exitCode: 0 });
  }
}
