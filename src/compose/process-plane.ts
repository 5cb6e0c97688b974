// The plane of a process: over a file or this process's memory, with the failpoint of its environment. Loaded only where there is one.
import type { PlaneConfig, StoreConfig } from "../config/config.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { openStore, type OpenStoreOptions } from "./open-store.ts";
import { openPlane, type PlaneParts, type RunningPlane } from "./plane.ts";

export interface ProcessPlaneParts
  extends
    Pick<PlaneParts, "intents" | "tenants" | "startupTimeoutMs" | "clock" | "log" | "inside" | "fetch">,
    Pick<OpenStoreOptions, "nextTurn"> {
  config: PlaneConfig;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** Throws what `openPlane` throws. */
export async function openProcessPlane(parts: ProcessPlaneParts): Promise<RunningPlane> {
  const { config, clock, cwd, env, nextTurn } = parts;
  const failpoint = failpointOf(env["HARAKA_FAILPOINT"]);
  const options = { clock, cwd, failpoint, nextTurn };
  return openPlane({
    ...parts,
    failpoint,
    openStore: (hooks) => openStore(urlOf(config.store), { ...options, ...hooks }),
  });
}

function urlOf(store: StoreConfig): string {
  return store.driver === "memory" ? "memory:" : `sqlite:${store.path}`;
}
