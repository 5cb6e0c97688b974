// What a run has beside its requests that the shutdown has to hear of: steps of executions, entries in a registry, routes at a proxy.
// Each says what it does in which stage, and leaves out what it has no part in.

export interface Companion {
  /**
   * The drain is about to begin: who looks this runtime up should not find it any more. Resolves when they know, and never rejects;
   * absent, or `undefined`: there is nobody to wait for.
   */
  leave?(): Promise<void> | undefined;
  /** Requests are refused from now on; what is begun by itself begins no more. `over` aborts when the stage is over. */
  refuse?(over: AbortSignal): void;
  /** Called once no request is in flight, and those before it are done; resolves when nothing of it is under way. Never rejects. */
  whenEmpty?(over: AbortSignal): Promise<void>;
  /** What is under way, in words. */
  inside?(): readonly string[];
}
