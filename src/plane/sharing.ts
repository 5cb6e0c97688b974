// How replicas have even shares of what is open, and look after what none of them knows: which executions one leaves to others, and when it
// takes one that nobody can carry out, so that it is seen to be parked. It is one of the engine's hands, and keeps only what it has seen.
import { openExecution } from "../core/claims.ts";
import type { Clock } from "../ports/clock.ts";
import type { Claim, Store } from "../ports/store.ts";
import { isSettled, openKey } from "./execution-entry.ts";
import { isFunction } from "./intents.ts";
import type { Leases } from "./leases.ts";
import { Replicas } from "./replicas.ts";
import type { Run } from "./run.ts";

export interface SharingOptions {
  store: Store;
  clock: Clock;
  leaseMs: number;
  /** Of this process. */
  name: string;
  leases: Leases;
  runs: () => Iterable<Run>;
  definitions: () => readonly string[];
  isStarting: () => boolean;
  handOver: (run: Run) => void;
  onError: (message: string, error: unknown) => void;
}

export class Sharing {
  readonly replicas: Replicas;
  readonly #options: SharingOptions;
  /** Since when nobody is known to know it: from the first look that has found it so. */
  #unknownSinceMs = new Map<string, number>();

  constructor(options: SharingOptions) {
    this.#options = options;
    const { leases, definitions, isStarting } = options;
    this.replicas = new Replicas({
      ...options,
      own: () => ({ starting: isStarting(), open: this.#moving().length, definitions: definitions() }),
      leave: ({ count, takers }) => this.#leave(count, takers),
      giveWay: (known) => this.#giveWay(known),
      adopt: (known) => this.#adopt(known),
      take: (most) => leases.lookAgain(most),
    });
  }

  /** Those that may have something to do, but for those that go elsewhere. */
  #moving(): Run[] {
    return [...this.#options.runs()].filter(({ status, isLeaving }) => !isSettled(status) && !isLeaving);
  }

  #leave(count: number, takers: ReadonlySet<string>): void {
    const { leases, handOver } = this.#options;
    // A function that has begun cannot go on elsewhere.
    const candidates = this.#moving().filter(
      ({ status, facts: { definition } }) =>
        takers.has(definition) && !(isFunction(definition) && status === "running"),
    );
    const leaving = candidates.slice(0, count);
    if (leaving.length === 0) return;
    leases.stepBack();
    for (const run of leaving) void run.leave().then(() => handOver(run));
  }

  #giveWay(known: ReadonlySet<string>): void {
    const { runs, handOver } = this.#options;
    for (const run of runs())
      if (run.awaitsDefinition && known.has(run.facts.definition)) void run.leave().then(() => handOver(run));
  }

  /** What was nobody's for a lease: by then whoever knows it would have it. */
  async #adopt(known: ReadonlySet<string>): Promise<void> {
    const { store, clock, leaseMs, leases, definitions } = this.#options;
    const unknownSinceMs = new Map<string, number>();
    await leases.takeAny(async (claims) => {
      const own = new Set(definitions());
      const picked = new Set<Claim>();
      const look = async (claim: Claim): Promise<void> => {
        const { tenant, execution } = claim;
        const [entry] = await store.get(tenant, [openKey(execution)]);
        const { definition } = openExecution(tenant, { key: "", value: entry?.value ?? null });
        const sinceMs = this.#unknownSinceMs.get(execution) ?? clock.now();
        if (own.has(definition) || (!known.has(definition) && clock.now() - sinceMs >= leaseMs))
          picked.add(claim);
        else if (!known.has(definition)) unknownSinceMs.set(execution, sinceMs);
      };
      await Promise.all(claims.map(look));
      return picked;
    });
    this.#unknownSinceMs = unknownSinceMs;
  }
}
