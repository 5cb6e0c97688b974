import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SagaDefinition } from "../../src/config/saga-definition.ts";
import { fold, isEnded } from "../../src/core/saga.ts";
import { decide } from "../../src/core/saga-decide.ts";
import { idempotencyKey } from "../../src/core/saga-definition.ts";
import { outcome } from "../../src/core/saga-outcome.ts";
import { definition } from "./saga-arbitrary.ts";
import { drawnWays } from "./saga-diagram.ts";
import { type Faults, SagaWorld } from "./saga-world.ts";

const coins = fc.infiniteStream(fc.nat(0xffff_ffff));

/** Lets a saga live for so many steps and then come to its end. */
function live(saga: SagaDefinition, life: { flip: () => number; steps: number; faults?: Faults }): SagaWorld {
  const world = new SagaWorld(saga, life.flip, life.faults);
  world.turn();
  for (let step = 0; step < life.steps && !isEnded(world.state); step++) world.stir();
  world.calm();
  world.law.ended(world.state.status);
  return world;
}

/** Of random lives of random sagas. */
function lives(predicate: (saga: SagaDefinition, life: { flip: () => number; steps: number }) => void) {
  return fc.property(definition, coins, fc.nat(120), (saga, flips, steps) =>
    predicate(saga, { flip: () => flips.next().value, steps }),
  );
}

test("a saga does all or undoes what it did, whatever crashes, fails or is asked (5,000 random lives)", () => {
  const ends: Record<string, number> = {};
  const ways = new Set<string>();
  fc.assert(
    lives((saga, life) => {
      const world = live(saga, life);
      ends[world.state.status] = (ends[world.state.status] ?? 0) + 1;
      for (const way of world.ways) ways.add(way);
    }),
    { numRuns: 5000 },
  );
  for (const end of ["completed", "compensated", "cancelled", "failed"]) {
    assert.ok((ends[end] ?? 0) > 50, `one-sided: ${JSON.stringify(ends)}`);
  }
  assert.deepEqual([...ways].toSorted(), drawnWays.toSorted(), "every way of the diagram, and no other");
});

const NOT_DONE = { type: "notDone", error: { message: "forgotten" } } as const;

/** What each of these does wrong, and how. The checks above must find every one. */
const MUSEUM: Record<string, Faults & { finding: RegExp }> = {
  "undoes only completed steps": {
    finding: /"\S+" is not undone/,
    decide(state, saga, options) {
      const steps = [...state.steps].map(([name, step]) => {
        const isForgotten = step.phase === "in_doubt" || (step.phase === "backoff" && step.inDoubt);
        return [name, isForgotten && state.undoing ? { ...step, phase: "failed" as const } : step] as const;
      });
      return decide({ ...state, steps: new Map(steps) }, saga, options);
    },
  },
  "calls before the start is durable": {
    finding: /is called before its start is durable/,
    sendsBeforeAppending: true,
  },
  "takes what was lost in a crash for not done": {
    finding: /"\S+" is not undone/,
    decide(state, saga, options) {
      const forgotten = [...state.steps].flatMap(([step, { phase, attempts: attempt }]) => {
        const call = { step, direction: "execute" as const, attempt };
        const isLost = phase === "running" && !options.inFlight.has(`${step}/execute/${attempt}`);
        return isLost ? outcome(state, saga, { ...options, call, result: NOT_DONE }) : [];
      });
      const decided = decide(forgotten.reduce(fold, state), saga, options);
      return { ...decided, append: [...forgotten, ...decided.append] };
    },
  },
  "forgets that it is past the pivot": {
    finding: /is undone after the pivot/,
    fold(state, event) {
      const { pivot: _, ...rest } = fold(state, event);
      return rest;
    },
  },
  "undoes what lies before the pivot": {
    finding: /internal: a saga that is \S+ cannot take/,
    outcome: (state, saga, options) =>
      outcome(state, saga, options).map((event) =>
        event.type === "step_failed" && event.payload.next === "park"
          ? { ...event, payload: { ...event.payload, next: "compensate" as const } }
          : event,
      ),
  },
  "fires a timer early": {
    finding: /fires early/,
    decide(state, saga, options) {
      const decided = decide(state, saga, { ...options, nowMs: options.nowMs + 50 });
      const append = decided.append.map((event) =>
        event.type === "timer_set" ? { ...event, payload: { dueAtMs: event.payload.dueAtMs - 50 } } : event,
      );
      return { ...decided, append };
    },
  },
  "makes a new key for every attempt": {
    finding: /takes effect twice/,
    key: (execution, call) => `${idempotencyKey(execution, call)}/${(call as { attempt?: number }).attempt}`,
  },
  "drops a compensation that fails": {
    finding: /"\S+" is not undone/,
    outcome: (state, saga, options) =>
      outcome(state, saga, options).map((event) =>
        event.type === "compensation_failed"
          ? { ...event, type: "compensation_completed" as const, payload: { attempt: event.payload.attempt } }
          : event,
      ),
  },
  "does not see a cancel": {
    finding: /starts after a cancel/,
    fold: (state, event) => (event.type === "cancel_requested" ? state : fold(state, event)),
  },
};

for (const [bug, { finding, ...faults }] of Object.entries(MUSEUM)) {
  test(`a machine that ${bug} is found`, () => {
    const isFound = lives((saga, life) => {
      try {
        live(saga, { ...life, faults });
      } catch (error) {
        if (finding.test(String(error))) throw error;
      }
    });
    const { failed, numRuns } = fc.check(isFound, { numRuns: 5000, endOnFailure: true });
    assert.ok(failed, `${numRuns} lives without a word`);
  });
}
