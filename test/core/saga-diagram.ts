// The ways between the phases of a step as the comment in `saga-step.ts` draws them.
import { readFileSync } from "node:fs";

const source = readFileSync(new URL("../../src/core/saga-step.ts", import.meta.url), "utf8");

/** From each phase, where it may go. */
export const drawn = new Map(
  [...source.matchAll(/^ \* {3}(\w+) +──▶(.*)$/gm)].map(([, from = "", to = ""]) => [
    from,
    to.trim().split(/ +/).filter(Boolean),
  ]),
);

/** Each way, as `running → completed`. */
export const drawnWays = [...drawn].flatMap(([from, to]) => to.map((phase) => `${from} → ${phase}`));
