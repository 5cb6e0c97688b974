// A store in memory that several engines share, as replicas share one server: what one of them owns runs out unless it is renewed, and a
// replica that is stopped or cut off is neither asked nor told. Time is that of one clock.
import { openStoreAt } from "../../src/compose/store-at.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Claim, Commit, Ownerships, Store } from "../../src/ports/store.ts";

type Replica = Store & Ownerships & { cut(): void };

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
    return new LeasedStore(await openStoreAt("memory:", { clock: options.clock, cwd: "/" }), options);
  }

  /** The store as one replica has it, until it is cut off: then nothing is answered any more. */
  replica(): Replica {
    const store = this.#store;
    let isCut = false;
    const never = new Promise<never>(() => {});
    const asked = <A extends unknown[], R>(ask: (...args: A) => Promise<R>) => {
      const answer = async (...args: A): Promise<R> => {
        const found = isCut ? never : ask(...args);
        // What was done for it is done; it does not hear of it.
        await found.catch(() => {});
        return isCut ? never : found;
      };
      return answer;
    };
    return {
      leaseMs: this.#leaseMs,
      cut: () => void (isCut = true),
      commit: asked(async (tenant: string, commit: Commit) => {
        const { own } = commit;
        const result = await store.commit(tenant, commit);
        if (own && result.ok) this.#prolong({ ...own, tenant });
        return result;
      }),
      get: asked((tenant: string, keys: readonly string[]) => store.get(tenant, keys)),
      scan: asked((...query: Parameters<Store["scan"]>) => store.scan(...query)),
      log: asked((...query: Parameters<Store["log"]>) => store.log(...query)),
      watch: (tenant, onWritten) => store.watch(tenant, () => isCut || onWritten()),
      tenants: asked(() => store.tenants()),
      expired: asked((limit: number) => store.expired(limit)),
      expiresInMs: asked(() => store.expiresInMs()),
      trim: asked((...through: Parameters<Store["trim"]>) => store.trim(...through)),
      claim: asked(async (options: Parameters<Ownerships["claim"]>[0]) => {
        await this.#runOut();
        const claims = await store.claim(options);
        for (const claim of claims) this.#prolong(claim);
        return claims;
      }),
      renew: asked(async (claims: readonly Claim[]) => {
        const lost = await store.renew(claims);
        for (const claim of claims) if (!lost.includes(claim)) this.#prolong(claim);
        return lost;
      }),
      release: asked(async (claims: readonly Claim[]) => {
        for (const claim of claims) this.#until.delete(claim.token);
        await store.release(claims);
      }),
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
