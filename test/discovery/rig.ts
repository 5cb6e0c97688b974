// Several runtimes on one store in memory, with a clock that is turned by hand and a store that can be lost for a while.
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { StoreError } from "../../src/errors.ts";
import type { RegistryEntry } from "../../src/ports/registry.ts";
import { type Commit, type Store, SYSTEM_TENANT } from "../../src/ports/store.ts";

export const TTL_MS = 15_000;
export const HEARTBEAT_MS = 5_000;

export function entry(service: string, instance: string, rest: Partial<RegistryEntry> = {}): RegistryEntry {
  const there = { address: "10.0.0.1", port: 8080, tags: [], state: "ready" } as const;
  return { service, instance: `instance_${instance}`, ...there, ...rest };
}

export const namesOf = (entries: readonly RegistryEntry[]): string[] =>
  entries.map(({ instance, state }) => `${instance.replace("instance_", "")} ${state}`);

interface RuntimeOptions {
  /** It cannot reach the store. */
  lost?: () => boolean;
  /** What it writes is written, but it does not hear so. */
  deaf?: () => boolean;
  /** No hint of the store arrives. */
  silent?: boolean;
}

/** What `runtime()` gives is one more of them. */
export async function sharedRig() {
  const clock = testClock();
  const store = await openStoreAt("memory:", { clock, cwd: "/", failpoint() {} });
  const commits: Commit[] = [];
  const timers = new Set<object>();
  const counting = {
    now: clock.now,
    after(delayMs: number, run: () => void) {
      const timer = {};
      timers.add(timer);
      const cancel = clock.after(delayMs, () => {
        timers.delete(timer);
        run();
      });
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
  };
  const runtimes: RuntimeRegistry[] = [];
  const runtime = ({ lost = () => false, deaf = () => false, silent = false }: RuntimeOptions = {}) => {
    const troubles: (string | undefined)[] = [];
    const reach = <T>(ask: () => Promise<T>): Promise<T> =>
      lost() ? Promise.reject(new StoreError("cannot reach the store")) : ask();
    const own: Pick<Store, "commit" | "scan" | "watch"> = {
      async commit(tenant, commit) {
        if (tenant === SYSTEM_TENANT) commits.push(commit);
        const result = await reach(() => store.commit(tenant, commit));
        if (deaf()) throw new StoreError("cannot reach the store");
        return result;
      },
      scan: (tenant, query) => reach(() => store.scan(tenant, query)),
      watch: (tenant, onWritten) => (silent ? () => {} : store.watch(tenant, onWritten)),
    };
    const shared = {
      store: own,
      ttlMs: TTL_MS,
      heartbeatMs: HEARTBEAT_MS,
      onTrouble: (reason: string | undefined) => void troubles.push(reason),
    };
    const registry = new RuntimeRegistry({ clock: counting, shared, random: () => 0 });
    runtimes.push(registry);
    return Object.assign(registry, { troubles });
  };
  return {
    clock,
    store,
    commits,
    /** Those of all runtimes. */
    timers,
    runtime,
    async [Symbol.asyncDispose]() {
      for (const registry of runtimes) registry.close();
      await store.close();
    },
  };
}
