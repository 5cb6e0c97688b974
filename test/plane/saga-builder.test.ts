import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { type CompensateContext, Retry, saga } from "../../src/plane/saga-builder.ts";

/** Compiles only where both are the same type. */
function same<A, B>(
  _same: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? "same" : "different",
): void {}

interface Reservation {
  id: string;
  price: number;
  until: Date;
}

const stock = {
  reserve: async (sku: string): Promise<Reservation> => ({ id: sku, price: 5, until: new Date(0) }),
  find: async (key: string): Promise<Reservation | undefined> =>
    key === "" ? undefined : stock.reserve(key),
};

const placeOrder = saga("order.place", { input: z.object({ sku: z.string() }), timeout: "2h" })
  .step("reserve", {
    execute: ({ input, key, signal, attempt }) => {
      same<typeof input, { sku: string }>("same");
      same<typeof signal, AbortSignal>("same");
      if (attempt > 3) throw new Retry("later");
      return stock.reserve(input.sku + key);
    },
    compensate: ({ output, outputs }) => {
      same<typeof output, { id: string; price: number; until: string } | undefined>("same");
      same<keyof typeof outputs, never>("same");
    },
    verify: ({ key }) => stock.find(key),
    retry: { attempts: 3, backoff: "200ms..2s" },
    timeout: "5s",
    inDoubt: "verify",
  })
  .parallel({
    mail: { execute: async ({ input }) => input.sku.length },
    ledger: {
      execute: ({ outputs }) => ({ entry: outputs.reserve.price }),
      compensate: ({ output, input }: CompensateContext<{ sku: string }, unknown, { entry: number }>) =>
        same<typeof output, { entry: number } | undefined>(input.sku === "" ? "same" : "same"),
    },
  })
  .signal("approved", { input: z.object({ by: z.string() }), timeout: "1h" })
  .sleep("cooling", "10s")
  .step("charge", {
    execute: ({ outputs }) => {
      same<typeof outputs.reserve.price, number>("same");
      same<typeof outputs.reserve.until, string>("same");
      same<typeof outputs.mail, number>("same");
      same<typeof outputs.ledger, { entry: number }>("same");
      same<typeof outputs.approved, { by: string }>("same");
    },
    pivot: true,
  })
  .step("tell", {
    execute: ({ outputs }) => {
      same<typeof outputs.charge, undefined>("same");
      return null;
    },
  });

test("saga keeps its steps, their policies and the defaults", () => {
  const plain = { type: "step", verifiable: false, pivot: false, timeoutMs: 30_000, inDoubt: "idempotent" };
  const retry = { attempts: 5, minMs: 100, maxMs: 5000 };
  const { input, ...definition } = placeOrder.definition;
  assert.equal(input, placeOrder.input);
  assert.deepEqual(definition, {
    name: "order.place",
    version: "1",
    timeoutMs: 7_200_000,
    nodes: [
      {
        type: "step",
        name: "reserve",
        compensable: true,
        verifiable: true,
        pivot: false,
        timeoutMs: 5000,
        retry: { attempts: 3, minMs: 200, maxMs: 2000 },
        inDoubt: "verify",
      },
      {
        type: "parallel",
        branches: [
          { ...plain, name: "mail", compensable: false, retry },
          { ...plain, name: "ledger", compensable: true, retry },
        ],
      },
      { type: "signal", name: "approved", signal: "approved", timeoutMs: 3_600_000 },
      { type: "sleep", name: "cooling", delayMs: 10_000 },
      { ...plain, name: "charge", compensable: false, pivot: true, retry },
      { ...plain, name: "tell", compensable: false, retry },
    ],
  });
});

test("saga keeps the functions and schemas beside the definition, by name", async () => {
  assert.deepEqual([...placeOrder.functions.keys()], ["reserve", "mail", "ledger", "charge", "tell"]);
  assert.deepEqual([...placeOrder.signals.keys()], ["approved"]);
  const context = {
    input: { sku: "a" },
    outputs: {},
    key: "k",
    attempt: 1,
    execution: "execution_1",
    saga: "saga_1",
    signal: new AbortController().signal,
  };
  assert.deepEqual(await placeOrder.functions.get("reserve")?.execute(context), await stock.reserve("ak"));
  assert.throws(
    () => placeOrder.functions.get("reserve")?.execute({ ...context, attempt: 4 }),
    (error) => error instanceof Retry && error instanceof Error && error.name === "Retry",
  );
});

test("a saga without schemas takes anything, and one that others go on from stays as it is", () => {
  const base = saga("a", { version: "2" }).signal("go");
  const one = base.step("x", {
    execute: ({ input, outputs }) => {
      same<typeof input, unknown>("same");
      same<typeof outputs.go, unknown>("same");
    },
  });
  const other = base.step("x", { execute: () => 1 });
  assert.equal(base.definition.version, "2");
  assert.equal(base.definition.nodes.length, 1);
  assert.notEqual(one.functions.get("x"), other.functions.get("x"));
});

const execute = () => 1;

/** What cannot be, and what is said of it. */
const REFUSED: [make: () => unknown, message: string][] = [
  [
    () => saga("a b"),
    'cannot define the saga "a b": cannot name a saga "a b": a name starts with a letter and has up to 128 letters, digits, `.`, `_` and `-`',
  ],
  [
    () => saga("a", { timeout: "2" }),
    'cannot define the saga "a": expected `timeout` to be a duration such as 250ms, 5s, 2m or 1h, got "2"',
  ],
  [
    () => saga("a").step("x", { execute, timeout: "0s" }),
    'cannot define "x" of the saga "a": expected `timeout` to be a duration such as 250ms, 5s, 2m or 1h, got "0s"',
  ],
  [
    () => saga("a").step("x", { execute, retry: { backoff: "5s" } }),
    'cannot define "x" of the saga "a": expected `backoff` to be two durations such as 100ms..10s, got "5s"',
  ],
  [
    () => saga("a").step("x", { execute, retry: { attempts: 0 } }),
    'cannot define the saga "a": expected a whole number from 1 to 1000, got 0',
  ],
  [
    () => saga("a").sleep("x", "soon"),
    'cannot define "x" of the saga "a": expected `delay` to be a duration such as 250ms, 5s, 2m or 1h, got "soon"',
  ],
  [
    () => saga("a").step("x", { execute }).sleep("x", "1s"),
    'cannot define the saga "a": cannot name a step "x": another one has this name',
  ],
  [
    () => saga("a").step("x", { execute, pivot: true }).step("y", { execute, pivot: true }),
    'cannot define the saga "a": "y" cannot be the pivot: "x" is the pivot already, and there is one at most',
  ],
  [
    () => saga("a").step("x", { execute, inDoubt: "verify" }),
    'cannot define the saga "a": `verify` needs something to ask: add `verify` to the step',
  ],
  [() => saga("a").parallel({}), 'cannot define the saga "a": there is no step in it: add one'],
];

for (const [make, message] of REFUSED) {
  test(`saga refuses it: ${message}`, () => {
    assert.throws(make, { name: "UsageError", message });
  });
}
