// boot-to-ready: the executable with three TypeScript modules from disk, from exec to the first 200 of /health/ready, against
// an executable that holds one Hono route and nothing else.
import { join } from "node:path";
import { alternate } from "./measure.ts";
import type { Row } from "./row.ts";
import { life } from "./stopwatch.ts";
import { executable, haraka } from "./workshop.ts";

const POLL_US = 100;

export const bootToReady: Row = {
  name: "boot-to-ready",
  unit: "ms",
  target: { ratioMax: 1.5 },
  cost:
    "what the empty program does not have: `node:fs` inside Bun, the runtime's own code to read and link, the config, three " +
    "modules from disk. Each takes one to three milliseconds, in code that runs for the first time.",
  async measure() {
    // As in a container: the image says where the config is.
    const product = [await haraka(), "run"];
    const env = { HARAKA_CONFIG: join(import.meta.dir, "boot/runtime.yaml") };
    const empty = [await executable("empty-hono")];
    const { value, floor } = await alternate(
      { count: 31, warmUp: 3 },
      {
        value: async () => (await life(product, { path: "/health/ready", pollUs: POLL_US, env })).readyMs,
        floor: async () => (await life(empty, { path: "/health", pollUs: POLL_US })).readyMs,
      },
    );
    return { value, floor };
  },
};
