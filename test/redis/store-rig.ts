// Stores in a real Redis for tests, each in a namespace of its own; for the contract, with a server's time that is turned by hand: the
// scripts are those of the driver but for where they ask what time it is.
import { openRedis, type OpenRedisOptions } from "../../src/compose/open-redis.ts";
import type { RedisStoreConfig } from "../../src/config/config.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { type RedisScripts, redisScripts } from "../../src/drivers/redis/scripts.ts";
import type { StoreError } from "../../src/errors.ts";
import type { StoreRig } from "../contracts/store-tools.ts";

const CLOCK = 'call("TIME")';

let made = 0;

export function storeConfig(place: RedisStoreConfig["place"], more: Partial<RedisStoreConfig> = {}) {
  const namespace = `test-${process.pid}-${++made}`;
  return {
    driver: "redis",
    place,
    namespace,
    leaseMs: 5_000,
    checks: "refuse",
    replicas: 0,
    ...more,
  } as const satisfies RedisStoreConfig;
}

export function openStoreIn(
  place: RedisStoreConfig["place"],
  { clock = systemClock(), ...options }: Partial<OpenRedisOptions & RedisStoreConfig> = {},
) {
  const { namespace, leaseMs, checks, replicas, ...others } = options;
  const more = Object.entries({ namespace, leaseMs, checks, replicas }).filter(
    ([, value]) => value !== undefined,
  );
  return openRedis(storeConfig(place, Object.fromEntries(more)), { clock, ...others });
}

/** A store that waits for Redis instead of giving up, and what it says of it. */
export async function patient(
  place: RedisStoreConfig["place"],
  options: Parameters<typeof openStoreIn>[1] = {},
) {
  const said: (StoreError | undefined)[] = [];
  const waiting = new Set<() => void>();
  const store = await openStoreIn(place, {
    onTrouble(problem) {
      said.push(problem);
      for (const look of waiting) look();
    },
    ...options,
  });
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return {
    store,
    said,
    down: () => until(() => said.length > 0 && said.at(-1) !== undefined),
    up: () => until(() => said.length === 0 || said.at(-1) === undefined),
  };
}

/** The driver's scripts, which take the time from there instead of from the server. */
export function scriptsAt(nowMs: () => number): RedisScripts {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const scripts = Object.entries(redisScripts()).map(([name, { text: original }]) => {
    if (!original.includes(CLOCK))
      throw new Error(`cannot turn the clock: "${name}" does not ask for the time`);
    const text = (): string => {
      const timeMs = Math.floor(nowMs());
      return original.replace(CLOCK, `{ "${Math.floor(timeMs / 1_000)}", "${(timeMs % 1_000) * 1_000}" }`);
    };
    const script = {
      get text() {
        return text();
      },
      get sha() {
        return createHash("sha1").update(text()).digest("hex");
      },
    };
    return [name, script];
  });
  return Object.fromEntries(scripts) as RedisScripts;
}

/** For the contract. */
export async function redisRig(place: RedisStoreConfig["place"]): Promise<StoreRig> {
  let timeMs = Date.UTC(2026, 0, 1);
  const store = await openStoreIn(place, { scripts: scriptsAt(() => timeMs) });
  return {
    store,
    turn: async (ms) => void (timeMs += ms),
    [Symbol.asyncDispose]: () => store.close(),
  };
}
