// A store in memory that several engines share, as replicas share one server: what one of them owns runs out unless it is renewed, and a
// replica that is stopped or cut off is neither asked nor told. Time is that of one clock.
import { openStore } from "../../src/compose/open-store.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Claim, Ownerships, Store } from "../../src/ports/store.ts";

export class LeasedStore {
  readonly #clock: Clock;
  readonly #store: Store & Ownerships;
  readonly #leaseMs: number;
  readonly #until = new Map<string, { claim: Claim; untilMs: number }>();

  private constructor(store: Store & Ownerships, { clock, leaseMs }: { clock: Clock; leaseMs: number }) {
    this.#store = store;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  static async open(options: { clock: Clock; leaseMs: number }): Promise<LeasedStore> {
    return new LeasedStore(await openStore("memory:", { clock: options.clock, cwd: "/" }), options);
  }

  /** The store as one replica has it. */
  replica(): Store & Ownerships {
    const store = this.#store;
    return {
      leaseMs: this.#leaseMs,
      commit: async (tenant, commit) => {
        const { own } = commit;
        const result = await store.commit(tenant, commit);
        if (own && result.ok) this.#prolong({ ...own, tenant });
        return result;
      },
      get: (tenant, keys) => store.get(tenant, keys),
      scan: (tenant, query) => store.scan(tenant, query),
      log: (tenant, query) => store.log(tenant, query),
      watch: (tenant, onAppended) => store.watch(tenant, onAppended),
      tenants: () => store.tenants(),
      expired: (limit) => store.expired(limit),
      expiresInMs: () => store.expiresInMs(),
      trim: (tenant, through) => store.trim(tenant, through),
      claim: async (options) => {
        await this.#runOut();
        const claims = await store.claim(options);
        for (const claim of claims) this.#prolong(claim);
        return claims;
      },
      renew: async (claims) => {
        const lost = await store.renew(claims);
        for (const claim of claims) if (!lost.includes(claim)) this.#prolong(claim);
        return lost;
      },
      release: async (claims) => {
        for (const claim of claims) this.#until.delete(claim.token);
        await store.release(claims);
      },
      close: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #prolong(claim: Claim): void {
    this.#until.set(claim.token, { claim, untilMs: this.#clock.now() + this.#leaseMs });
  }

  async #runOut(): Promise<void> {
    const over = [...this.#until.values()].filter(({ untilMs }) => untilMs <= this.#clock.now());
    for (const { claim } of over) this.#until.delete(claim.token);
    await this.#store.release(over.map(({ claim }) => claim));
  }
}
