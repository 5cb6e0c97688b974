// Which open executions this process owns. In a store that several share it prolongs what it owns long before that runs out, and takes
// over what nobody owns any more and this one can carry out. A store that only one process can have says no lease: then what is open is
// claimed once, at the start, and no timer runs.
import { messageOf } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Claim, Ownerships } from "../ports/store.ts";
import { nextTurn } from "./turn.ts";

const CLAIMS_AT_ONCE = 256;
/** How often it looks for what others have lost: what they owned goes on within the lease and this. */
const LOOK_EVERY_MS = 500;
/** Two renewals may fail before a lease runs out. */
const RENEWALS_A_LEASE = 3;

export interface LeasesOptions {
  store: Ownerships;
  clock: Clock;
  /** Of what this process can carry out. */
  known: () => readonly string[];
  owned: () => readonly Claim[];
  /** Whether anything is to be taken at present. */
  mayTake: () => boolean;
  /** It is this process's now. */
  take: (claim: Claim) => Promise<void>;
  /** It has taken what it has looked for. */
  took: () => void;
  /** Somebody else has it. */
  lost: (claim: Claim) => void;
  /** It will be tried again. */
  onError: (message: string, error: unknown) => void;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #leaseMs: number | undefined;
  /** Claimed, and on their way into memory. */
  readonly #taking = new Set<Claim>();
  #isLooking = true;
  /** So many are to be taken. */
  #wanted = 0;
  #looking: Promise<void> | undefined;
  #cancelLook = (): void => {};
  #cancelRenewal = (): void => {};

  constructor(options: LeasesOptions) {
    this.#options = options;
    this.#leaseMs = options.store.leaseMs;
  }

  /** Others may have the same store, and go on with what this process lets go of. */
  get areShared(): boolean {
    return this.#leaseMs !== undefined;
  }

  /** It is taking what is free. */
  get isBusy(): boolean {
    return this.#looking !== undefined;
  }

  /** Resolves when all that is free by now is taken; of a shared store, all that is known here. */
  async start(): Promise<void> {
    const leaseMs = this.#leaseMs;
    if (leaseMs !== undefined) this.#renewIn(leaseMs / RENEWALS_A_LEASE);
    await this.look();
    if (leaseMs !== undefined) this.#lookIn();
  }

  /** Resolves when what is free and known by now is taken, so many `most`, also what has come to be so while it looks. */
  look(most = Infinity): Promise<void> {
    if (!this.#isLooking || !this.#options.mayTake()) return Promise.resolve();
    this.#wanted = Math.max(this.#wanted, most);
    return (this.#looking ??= this.#takeFree());
  }

  /** Others come first: it looks again only after a while. */
  stepBack(): void {
    this.#cancelLook();
    this.#lookIn();
  }

  /** Takes of what is free, whatever that needs, what `pick` says, and lets go of the rest at once. */
  async takeAny(pick: (claims: readonly Claim[]) => Promise<ReadonlySet<Claim>>): Promise<void> {
    const { store, take } = this.#options;
    // What is known here is not in doubt, and comes first.
    await this.look();
    if (!this.#isLooking) return;
    const claims = await store.claim({ limit: CLAIMS_AT_ONCE });
    const picked = claims.length > 0 ? await pick(claims) : new Set<Claim>();
    const others = claims.filter((claim) => !picked.has(claim));
    if (others.length > 0) await store.release(others);
    await Promise.all([...picked].map(take));
  }

  /** Something new can be carried out here. */
  knowsMore(): void {
    if (this.areShared) this.lookAgain();
  }

  /** Nothing more is taken; what is owned is prolonged. */
  stopLooking(): void {
    this.#isLooking = false;
    this.#cancelLook();
  }

  stop(): void {
    this.stopLooking();
    this.#cancelRenewal();
    this.#cancelRenewal = () => {};
  }

  async #takeFree(): Promise<void> {
    const { store, known, took } = this.#options;
    let taken = 0;
    try {
      // Nothing is awaited between the last look at what is wanted and the end: no wish comes too late to be seen.
      while (this.#wanted > 0 && this.#isLooking) {
        let left = this.#wanted;
        this.#wanted = 0;
        while (left > 0) {
          const limit = Math.min(left, CLAIMS_AT_ONCE);
          const which = this.areShared ? { known: known() } : {};
          const claims = await store.claim({ ...which, limit });
          await this.#takeAll(claims);
          taken += claims.length;
          if (claims.length < limit) break;
          left -= claims.length;
          await nextTurn();
        }
      }
    } finally {
      this.#looking = undefined;
      if (taken > 0) took();
    }
  }

  /** All at once: a lease does not wait until it is the last one's turn. */
  async #takeAll(claims: readonly Claim[]): Promise<void> {
    const taking = claims.map(async (claim) => {
      this.#taking.add(claim);
      await this.#options.take(claim).finally(() => this.#taking.delete(claim));
    });
    await Promise.allSettled(taking);
    await Promise.all(taking);
  }

  /** Looks for what nobody owns, now. */
  lookAgain(most = Infinity): void {
    this.look(most).catch((error: unknown) =>
      this.#options.onError(`cannot take over what is nobody's: ${messageOf(error)}`, error),
    );
  }

  #lookIn(): void {
    if (!this.#isLooking) return;
    const delayMs = Math.min(LOOK_EVERY_MS, (this.#leaseMs ?? Infinity) / RENEWALS_A_LEASE);
    this.#cancelLook = this.#options.clock.after(delayMs, () => {
      this.lookAgain();
      this.#lookIn();
    });
  }

  #renewIn(delayMs: number): void {
    this.#cancelRenewal = this.#options.clock.after(delayMs, () => {
      this.#renewIn(delayMs);
      this.#renew().catch((error: unknown) =>
        this.#options.onError(`cannot prolong what runs here: ${messageOf(error)}`, error),
      );
    });
  }

  async #renew(): Promise<void> {
    const { store, owned, lost } = this.#options;
    const claims = [...new Set([...this.#taking, ...owned()])];
    if (claims.length === 0) return;
    for (const claim of await store.renew(claims)) lost(claim);
  }
}
