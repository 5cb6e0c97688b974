// Does what the fleet asks for: launches, stops and kills services, keeps their timers and probes. What comes of it goes back
// as events; it decides nothing and remembers nothing but what is running.
import type { Deadline, Effect, FleetEvent, Target } from "../core/event.ts";
import type { ServiceSpec } from "../core/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
import type { NewRuntimeEvent } from "../ports/runtime-event.ts";
import { watchProbe, type WatchedProbe } from "./prober.ts";

/** A service as it is handed to the supervisor. */
export interface SupervisedService {
  spec: ServiceSpec;
  launcher: Launcher;
  startup?: WatchedProbe;
  liveness?: WatchedProbe;
  readiness?: WatchedProbe;
}

export interface EffectsOptions {
  clock: Clock;
  dispatch: (event: FleetEvent) => void;
  emit: (event: NewRuntimeEvent) => void;
}

/** Effects on services; the others are the supervisor's own. */
type ServiceEffect = Exclude<Effect, { type: "announce" | "give-up" }>;

export class Effects {
  readonly #services: ReadonlyMap<string, SupervisedService>;
  readonly #options: EffectsOptions;
  readonly #running = new Map<string, { incarnation: number; running: Running }>();
  readonly #watches = new Map<string, () => void>();
  readonly #timers: Record<Deadline, Map<string, () => void>> = { start: new Map(), stop: new Map() };

  constructor(services: readonly SupervisedService[], options: EffectsOptions) {
    this.#services = new Map(services.map((service) => [service.spec.name, service]));
    this.#options = options;
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
        return cancel(this.#timers[effect.deadline], effect.service);
      case "watch":
        return this.#watch(effect);
      case "unwatch":
        return cancel(this.#watches, effect.service);
      default:
        return effect satisfies never;
    }
  }

  /** Lets go of every timer and probe. */
  release(): void {
    for (const held of [this.#timers.start, this.#timers.stop, this.#watches])
      for (const key of held.keys()) cancel(held, key);
  }

  #launch({ service, incarnation }: Target): void {
    const { emit, dispatch } = this.#options;
    const target = { service, incarnation };
    const report = (outcome: LaunchOutcome) => {
      switch (outcome.type) {
        case "launched":
          emit({ ...target, ...outcome, type: "service-launched" });
          return dispatch({ ...target, ...outcome, type: "service-launched" });
        case "failed":
          return dispatch({ ...target, type: "service-launch-failed", reason: outcome.reason });
        case "exited":
          emit({ ...target, type: "service-exited", code: outcome.code, signal: outcome.signal });
          return dispatch({ ...target, ...outcome, type: "service-exited" });
        default:
          return outcome satisfies never;
      }
    };
    const running = this.#serviceOf(target).launcher.launch(incarnation, report);
    this.#running.set(service, { incarnation, running });
  }

  #arm({ service, incarnation, deadline, delayMs }: Extract<Effect, { type: "arm" }>): void {
    const { clock, dispatch } = this.#options;
    const expire = () => dispatch({ type: "deadline-passed", service, incarnation, deadline });
    this.#timers[deadline].set(service, clock.after(delayMs, expire));
  }

  #watch({ service, incarnation, probe }: Extract<Effect, { type: "watch" }>): void {
    const { clock, emit, dispatch } = this.#options;
    const watched = this.#serviceOf({ service, incarnation })[probe];
    if (!watched) throw new Error(`internal: '${service}' has no ${probe} probe`);
    const tell = (event: Extract<FleetEvent, { type: "probe-passed" | "probe-failed" }>) => {
      emit(event);
      dispatch(event);
    };
    cancel(this.#watches, service);
    const stop = watchProbe(watched, {
      clock,
      onPassed: () => tell({ type: "probe-passed", service, incarnation, probe }),
      onFailed: (reason) => tell({ type: "probe-failed", service, incarnation, probe, reason }),
    });
    this.#watches.set(service, stop);
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

function cancel(held: Map<string, () => void>, key: string): void {
  held.get(key)?.();
  held.delete(key);
}
