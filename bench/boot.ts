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
    "the empty program reads no file: `node:fs` and what it loads inside Bun is a quarter of the difference, the config another " +
    "(its code runs for the first time, so it is interpreted), the rest is reading the modules and the runtime's own bytecode.",
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
