import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ServiceState, type StateName, transition } from "../../src/core/service-state.ts";

const source = readFileSync(new URL("../../src/core/service-state.ts", import.meta.url), "utf8");

/** The ways as the comment draws them. */
const drawn = new Map(
  [...source.matchAll(/^ \* {3}(\w+) +──▶(.*)$/gm)].map(([, from, to]) => [
    from,
    (to ?? "").trim().split(/ +/),
  ]),
);

const names = [...drawn.keys()] as StateName[];

function state(name: StateName): ServiceState {
  const failure = { reason: "", exitCode: 1 };
  return { name, sinceMs: 0, launched: false, reason: "", failure, untilMs: 0 } as ServiceState;
}

test("transition allows exactly the ways in the diagram", () => {
  assert.equal(names.length, 11);
  for (const from of names) {
    for (const to of names) {
      const attempt = () => transition(state(from), state(to));
      if (drawn.get(from)?.includes(to)) assert.equal(attempt().name, to);
      else assert.throws(attempt, /^Error: internal: no way from/, `${from} → ${to}`);
    }
  }
});
