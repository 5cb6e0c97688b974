// Does what the fleet asks for: launches, stops and kills services, keeps their timers and probes. What comes of it goes back
// as events; it decides nothing and remembers nothing but what is running.
import type { Effect, FleetEvent, ProbeName, Target } from "../core/event.ts";
import type { ServiceSpec } from "../core/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
import type { NewRuntimeEvent } from "../ports/runtime-event.ts";
import { Deadlines } from "./deadlines.ts";
import { watchProbe, type WatchedProbe } from "./prober.ts";
import type { Schedule } from "./scheduler.ts";

/** A service as it is handed to the supervisor. */
export interface SupervisedService {
  spec: ServiceSpec;
  launcher: Launcher;
  startup?: WatchedProbe;
  liveness?: WatchedProbe;
  readiness?: WatchedProbe;
  /** When a scheduled task is due. */
  schedule?: Schedule;
}

export interface EffectsOptions {
  clock: Clock;
  dispatch: (event: FleetEvent) => void;
  emit: (event: NewRuntimeEvent) => void;
}

/** Effects on services; the others are the supervisor's own. */
type ServiceEffect = Exclude<Effect, { type: "announce" | "give-up" }>;

const GONE = Promise.resolve({ ok: false as const, reason: "it has no check any more" });

/** How often a module's own check is asked where the config says nothing of it. */
const OWN_CHECK = { intervalMs: 1_000, timeoutMs: 1_000, failureThreshold: 3, successThreshold: 1 };

export class Effects {
  #services: ReadonlyMap<string, SupervisedService> = new Map();
  readonly #options: EffectsOptions;
  readonly #running = new Map<string, { incarnation: number; running: Running }>();
  readonly #watches = new Map<string, (() => void)[]>();
  readonly #armed = new Map<string, () => void>();

  readonly #deadlines: Deadlines;

  constructor(options: EffectsOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /** From now on these are the services; those that run go on. */
  use(services: readonly SupervisedService[]): void {
    this.#services = new Map(services.map((service) => [service.spec.name, service]));
  }

  perform(effect: ServiceEffect): void {
    switch (effect.type) {
      case "launch":
        return this.#launch(effect);
      case "stop":
        return this.#runningOf(effect)?.stop();
      case "kill":
        this.#options.emit({ ...effect, type: "service-killed" });
        return this.#runningOf(effect)?.kill();
      case "arm":
        return this.#arm(effect);
      case "disarm":
        return this.#disarm(effect.service);
      case "watch":
        return this.#watch(effect);
      case "unwatch":
        return this.#unwatch(effect.service);
      default:
        return effect satisfies never;
    }
  }

  /** Hands a signal on to what runs of a service. */
  signal(target: Target, name: string): void {
    this.#runningOf(target)?.signal?.(name);
  }

  /** Lets go of every timer and probe. */
  release(): void {
    for (const service of this.#armed.keys()) this.#disarm(service);
    for (const service of this.#watches.keys()) this.#unwatch(service);
  }

  #launch({ service, incarnation }: Target): void {
    const { emit, dispatch } = this.#options;
    const target = { service, incarnation };
    let isOver = false;
    const report = (outcome: LaunchOutcome) => {
      if (outcome.type !== "launched") {
        isOver = true;
        if (this.#runningOf(target)) this.#running.delete(service);
      }
      switch (outcome.type) {
        case "launched":
          emit({
            ...target,
            type: "service-launched",
            ...(outcome.pid !== undefined && { pid: outcome.pid }),
          });
          return dispatch({ ...target, ...outcome, type: "service-launched" });
        case "failed":
          emit({ ...target, ...outcome, type: "service-launch-failed" });
          return dispatch({ ...target, type: "service-launch-failed", reason: outcome.reason });
        case "exited":
          return this.#exited(target, outcome);
        default:
          return outcome satisfies never;
      }
    };
    const running = this.#serviceOf(target).launcher.launch(incarnation, report);
    if (!isOver) this.#running.set(service, { incarnation, running });
  }

  #exited(target: Target, { code, signal, reason, stack }: Extract<LaunchOutcome, { type: "exited" }>): void {
    const { emit, dispatch } = this.#options;
    const exit = { ...target, type: "service-exited" as const, code, signal };
    emit({ ...exit, ...(stack !== undefined && { stack }) });
    dispatch({ ...exit, ...(reason !== undefined && { reason }) });
  }

  #arm({ service, incarnation, deadline, delayMs }: Extract<Effect, { type: "arm" }>): void {
    const { dispatch } = this.#options;
    const expire = () => dispatch({ type: "deadline-passed", service, incarnation, deadline });
    this.#disarm(service);
    this.#armed.set(service, this.#deadlines.arm(delayMs, expire));
  }

  #disarm(service: string): void {
    this.#armed.get(service)?.();
    this.#armed.delete(service);
  }

  #watch({ service, incarnation, probe }: Extract<Effect, { type: "watch" }>): void {
    const { clock, emit, dispatch } = this.#options;
    const watched = this.#watchedOf({ service, incarnation }, probe);
    const tell = (event: Extract<FleetEvent, { type: "probe-passed" | "probe-failed" }>) => {
      emit(event);
      dispatch(event);
    };
    const stop = watchProbe(watched, {
      clock,
      onPassed: () => tell({ type: "probe-passed", service, incarnation, probe }),
      onFailed: (reason) => tell({ type: "probe-failed", service, incarnation, probe, reason }),
      failsOnlyAtThreshold: probe === "liveness",
    });
    const stops = this.#watches.get(service);
    if (stops) stops.push(stop);
    else this.#watches.set(service, [stop]);
  }

  #unwatch(service: string): void {
    for (const stop of this.#watches.get(service) ?? []) stop();
    this.#watches.delete(service);
  }

  #watchedOf(target: Target, probe: ProbeName): WatchedProbe {
    const { [probe]: configured, spec } = this.#serviceOf(target);
    if (configured) return configured;
    if (probe !== "readiness" || spec.readiness === "probe")
      throw new Error(`internal: '${target.service}' has no ${probe} probe`);
    const check = (signal: AbortSignal) => this.#runningOf(target)?.health?.(signal) ?? GONE;
    return { probe: { check }, schedule: OWN_CHECK };
  }

  #serviceOf({ service }: Target): SupervisedService {
    const found = this.#services.get(service);
    if (!found) throw new Error(`internal: no service '${service}'`);
    return found;
  }

  #runningOf({ service, incarnation }: Target): Running | undefined {
    const entry = this.#running.get(service);
    return entry?.incarnation === incarnation ? entry.running : undefined;
  }
}
