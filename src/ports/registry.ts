// Who is where: the instances of services that can be reached, in this runtime and, on a store that several share, in the others.
// Nothing of it is in the log, and nothing of it survives those it tells of. It says where to go; what publishes that to a proxy,
// and what asks it over HTTP, are its readers.

/** `starting`: not ready yet, or not ready just now. `draining`: it goes away, and takes nothing new. */
export type InstanceState = "starting" | "ready" | "draining";

export interface RegistryEntry {
  /** Its key in the config: what replicas have in common. */
  service: string;
  /** `instance_…`, unique; the same from the start of the runtime it is in to its end. */
  instance: string;
  /** Where it is reached: a name or an address, an IPv6 one without brackets. */
  address: string;
  port: number;
  tags: readonly string[];
  state: InstanceState;
  /** The types of intents that it handles; absent: none. */
  intents?: readonly string[];
}

/** An intent is handled by whatever service says so. */
export type RegistryTarget = string | { intent: string };

/** The registry as its readers see it. Rejects with `StoreError` when the store is lost. */
export interface RegistryReader {
  /**
   * One that is ready, each in its turn. `except`: the instances that were tried. Rejects with `UnreachableError` when there is
   * none.
   */
  resolve(target: RegistryTarget, options?: { except?: ReadonlySet<string> }): Promise<RegistryEntry>;
  /** All of them, or those of one service, whatever their state; by service, then by instance. */
  list(service?: string): Promise<readonly RegistryEntry[]>;
  /** That list as it is, and again each time it has changed, perhaps once for several changes; ends when `signal` aborts. */
  watch(options: { service?: string; signal: AbortSignal }): AsyncIterable<readonly RegistryEntry[]>;
}

/**
 * What this runtime has in the registry. What it says is true for readers of this runtime at once, and for the others when the
 * promise resolves; rejects with `StoreError`, and says it again by itself with the next heartbeat.
 */
export interface Registry extends RegistryReader {
  /** Puts an instance there, or in the place of what it has said before. Kept by heartbeats from then on. */
  register(entry: RegistryEntry): Promise<void>;
  /** Resolves, too, when it is not there. */
  deregister(instance: string): Promise<void>;
  /** Says again all that this runtime has said; what was lost of it is there again then. */
  heartbeat(): Promise<void>;
}

/** What a service finds as `this.runtime`. */
export interface DiscoverySlices {
  readonly registry: RegistryReader;
  /**
   * `fetch` for `svc://SERVICE/PATH`: asks an instance that is ready. When it cannot be reached, or goes away, another one is
   * asked, if the call may be made twice (GET, HEAD, PUT, DELETE, OPTIONS, or with an `Idempotency-Key`) or has certainly not
   * arrived. Any other URL is fetched as it is. Rejects with `UnreachableError` when there is no instance that is ready.
   */
  fetch(url: string | URL, init?: RequestInit): Promise<Response>;
}
