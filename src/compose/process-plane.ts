// The plane of a process: over a file, this process's memory or Redis, with the failpoint of its environment. Loaded only where there is one.
import type { PlaneConfig } from "../config/config.ts";
import { failpointOf } from "../drivers/failpoint.ts";
import { openStore, type OpenStoreOptions } from "./open-store.ts";
import { openPlane, type PlaneParts, type RunningPlane } from "./plane.ts";

export interface ProcessPlaneParts
  extends
    Pick<PlaneParts, "intents" | "services" | "startupTimeoutMs" | "clock" | "log" | "fetch">,
    Pick<OpenStoreOptions, "nextTurn"> {
  config: PlaneConfig;
  env: Readonly<Record<string, string | undefined>>;
}

/** Throws what `openPlane` throws. */
export async function openProcessPlane(parts: ProcessPlaneParts): Promise<RunningPlane> {
  const { config, clock, env, nextTurn } = parts;
  const failpoint = failpointOf(env["HARAKA_FAILPOINT"]);
  return openPlane({
    ...parts,
    failpoint,
    openStore: (hooks) => openStore(config.store, { clock, failpoint, nextTurn, ...hooks }),
  });
}
