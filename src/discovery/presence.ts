// What the registry says of this runtime's services, as their lifecycle goes: an entry from the start of one that can be reached to
// its end. When the runtime leaves, all of them drain first, and are taken out when nothing is in flight any more.
//
//   starting, started, unready ─▶ starting      ready ─▶ ready      stopping, or the runtime leaves ─▶ draining
//   down, or the runtime has left ─▶ no entry
import type { StateName } from "../core/service-state.ts";
import { healthTags } from "./health-tag.ts";
import type { InstanceState, Registry, RegistryEntry } from "../ports/registry.ts";

export interface PresenceOptions {
  registry: Pick<Registry, "register" | "deregister">;
  /** Where others reach this machine. */
  address: string;
  /** Where module services answer; `undefined`: nowhere. */
  httpPort: () => number | undefined;
  /** A new name. */
  newInstance: () => string;
}

export interface Launched {
  /** What its replicas have in common. */
  group: string;
  /** Where it listens by itself. */
  port?: number | undefined;
}

interface Seat extends Launched {
  /** Made with its first entry. */
  instance?: string;
  /** It answers at the runtime's own port. */
  isMounted: boolean;
  intents: Set<string>;
  state?: InstanceState | undefined;
  /** What the registry was told last. */
  told?: RegistryEntry | undefined;
}

const STATES: Readonly<Record<StateName, InstanceState | undefined>> = {
  pending: undefined,
  starting: "starting",
  started: "starting",
  unready: "starting",
  ready: "ready",
  stopping: "draining",
  stopped: undefined,
  completed: undefined,
  backoff: undefined,
  failed: undefined,
  skipped: undefined,
};

export class Presence {
  readonly #options: PresenceOptions;
  readonly #seats = new Map<string, Seat>();
  #leaving: "no" | "draining" | "left" = "no";

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** A service is started; what it handles it says anew. */
  launched(name: string, { group, port }: Launched): void {
    const seat = this.#seatOf(name);
    Object.assign(seat, { group, port, isMounted: false });
    this.#tell(seat);
  }

  /** It answers at the runtime's own port. */
  mounted(name: string): void {
    const seat = this.#seatOf(name);
    seat.isMounted = true;
    this.#tell(seat);
  }

  /** It handles intents of this type, which are submitted at the runtime's own port. */
  handles(name: string, type: string): void {
    const seat = this.#seatOf(name);
    seat.intents.add(type);
    this.#tell(seat);
  }

  observe(name: string, state: StateName): void {
    const seat = this.#seatOf(name);
    seat.state = STATES[state];
    this.#tell(seat);
  }

  /** Nothing of it is to be found any more; resolves when the others know. */
  async drain(): Promise<void> {
    if (this.#leaving === "no") this.#leaving = "draining";
    await this.#tellAll();
  }

  /** Nothing of it is there any more; resolves when the others know. */
  async leave(): Promise<void> {
    this.#leaving = "left";
    await this.#tellAll();
  }

  async #tellAll(): Promise<void> {
    await Promise.all([...this.#seats.values()].map((seat) => this.#told(seat)));
  }

  #seatOf(name: string): Seat {
    const known = this.#seats.get(name);
    if (known) return known;
    const seat = { group: name, isMounted: false, intents: new Set<string>() };
    this.#seats.set(name, seat);
    return seat;
  }

  #tell(seat: Seat): void {
    // Who cannot tell the others says so himself, and tells them later.
    this.#told(seat).catch(() => {});
  }

  async #told(seat: Seat): Promise<void> {
    const { registry } = this.#options;
    const { told } = seat;
    const entry = this.#entryOf(seat);
    seat.told = entry;
    if (!entry) {
      if (told) await registry.deregister(told.instance);
      return;
    }
    if (JSON.stringify(entry) !== JSON.stringify(told)) await registry.register(entry);
  }

  #entryOf(seat: Seat): RegistryEntry | undefined {
    const { address, httpPort, newInstance } = this.#options;
    const { group, port, isMounted, intents, state } = seat;
    const reached = port ?? (isMounted || intents.size > 0 ? httpPort() : undefined);
    if (reached === undefined || state === undefined || this.#leaving === "left") return undefined;
    return {
      service: group,
      instance: (seat.instance ??= newInstance()),
      address,
      port: reached,
      tags: healthTags(httpPort()),
      state: this.#leaving === "draining" ? "draining" : state,
      ...(intents.size > 0 && { intents: [...intents].toSorted() }),
    };
  }
}
