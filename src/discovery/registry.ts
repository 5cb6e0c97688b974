// The registry of a runtime: what it has itself, which is true at once, and beside it what the others have told, where there is a
// store that several share. Who resolves gets each of those that are ready in its turn, near or far.
import { UnreachableError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Registry, RegistryEntry, RegistryTarget } from "../ports/registry.ts";
import { byPlace } from "./entry.ts";
import { Peers } from "./peers.ts";
import { Publication, type SharedOptions } from "./publication.ts";

export interface RegistryOptions {
  clock: Pick<Clock, "now" | "after">;
  /** How the others are reached; absent: there are none. */
  shared?: SharedOptions;
  /** From 0 up to 1: with whom to begin, so that not all runtimes begin with the same. */
  random: () => number;
}

const NONE: ReadonlySet<string> = new Set();

export class RuntimeRegistry implements Registry {
  readonly #own = new Map<string, RegistryEntry>();
  /** Instances that are, or were, this runtime's: what the store still says of them is not news. */
  readonly #ours = new Set<string>();
  readonly #publication: Publication | undefined;
  readonly #peers: Peers | undefined;
  readonly #random: () => number;
  /** By target, whose turn it is. */
  readonly #turns = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  constructor({ clock, shared, random }: RegistryOptions) {
    this.#random = random;
    if (!shared) return;
    this.#publication = new Publication({ ...shared, clock, own: () => this.#own.values() });
    this.#peers = new Peers({ ...shared, clock, onChanged: () => this.#changed() });
  }

  /** Why the others cannot be told at present. */
  get trouble(): string | undefined {
    return this.#publication?.trouble;
  }

  async register(entry: RegistryEntry): Promise<void> {
    this.#own.set(entry.instance, entry);
    this.#ours.add(entry.instance);
    this.#changed();
    await this.#publication?.tell();
  }

  async deregister(instance: string): Promise<void> {
    if (this.#own.delete(instance)) this.#changed();
    await this.#publication?.tell();
  }

  async heartbeat(): Promise<void> {
    await this.#publication?.heartbeat();
  }

  async resolve(
    target: RegistryTarget,
    { except = NONE }: { except?: ReadonlySet<string> } = {},
  ): Promise<RegistryEntry> {
    const isIt = isFor(target);
    const find = (): RegistryEntry[] =>
      this.#entries(isIt).filter(({ state, instance }) => state === "ready" && !except.has(instance));
    const failure = await failureOf(this.#peers?.loaded());
    let ready = find();
    if (ready.length === 0 && this.#peers) {
      // One may have come that nobody has told us of yet.
      const again = failure ?? (await failureOf(this.#peers.refresh()));
      ready = find();
      if (again && ready.length === 0) throw again.error;
    }
    if (ready.length === 0) throw new UnreachableError(unreachable(target, this.#entries(isIt)));
    return ready[this.#turnOf(target) % ready.length] as RegistryEntry;
  }

  async list(service?: string): Promise<readonly RegistryEntry[]> {
    await this.#peers?.refresh();
    return this.#entries(service === undefined ? () => true : isFor(service));
  }

  async *watch({
    service,
    signal,
  }: {
    service?: string;
    signal: AbortSignal;
  }): AsyncGenerator<readonly RegistryEntry[]> {
    let [isNews, wake] = [true, () => {}];
    const note = (): void => {
      isNews = true;
      wake();
    };
    this.#listeners.add(note);
    signal.addEventListener("abort", note);
    const leave = this.#peers?.attend();
    const isIt = service === undefined ? () => true : isFor(service);
    let told: string | undefined;
    try {
      if (!signal.aborted) await this.#peers?.refresh();
      while (!signal.aborted) {
        isNews = false;
        const entries = this.#entries(isIt);
        const text = JSON.stringify(entries);
        if (text !== told) yield entries;
        told = text;
        if (!isNews) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      leave?.();
      signal.removeEventListener("abort", note);
      this.#listeners.delete(note);
    }
  }

  /** Neither says nor asks anything any more. */
  close(): void {
    this.#publication?.close();
    this.#peers?.close();
  }

  #entries(isIt: (entry: RegistryEntry) => boolean): RegistryEntry[] {
    const others = this.#peers?.entries().filter(({ instance }) => !this.#ours.has(instance)) ?? [];
    return [...this.#own.values(), ...others].filter(isIt).toSorted(byPlace);
  }

  #turnOf(target: RegistryTarget): number {
    const key = JSON.stringify(target);
    const turn = this.#turns.get(key) ?? Math.floor(this.#random() * 0x1_0000);
    this.#turns.set(key, turn + 1);
    return turn;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function isFor(target: RegistryTarget): (entry: RegistryEntry) => boolean {
  if (typeof target === "string") return ({ service }) => service === target;
  return ({ intents }) => intents?.includes(target.intent) === true;
}

async function failureOf(work: Promise<void> | undefined): Promise<{ error: unknown } | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return { error };
  }
}

function unreachable(target: RegistryTarget, there: readonly RegistryEntry[]): string {
  const what =
    typeof target === "string" ? `reach '${target}'` : `reach who handles the intent '${target.intent}'`;
  if (there.length === 0) {
    const who = typeof target === "string" ? "no service of that name" : "no service that does";
    return `cannot ${what}: ${who} is in the registry`;
  }
  const states = there.map(({ instance, state }) => `${instance} is ${state}`).join(", ");
  return `cannot ${what}: no instance is ready that was not tried (${states})`;
}
