// Random histories of everything a tenant can do: sessions, state and executions, by several at once, while time goes on and somebody sets
// the clock back. What is refused is part of the game; what is none of the plane's own refusals fails.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import { Retention } from "../../src/plane/retention.ts";
import { Retry, saga } from "../../src/plane/saga-builder.ts";
import { PlaneError } from "../../src/errors.ts";
import type { Executions, TenantPlane } from "../../src/ports/plane.ts";
import type { Ownerships, Store } from "../../src/ports/store.ts";
import { LIMITS } from "./engine-rig.ts";
import { exclusive, MINUTE_MS, type PlaneRig } from "./rig.ts";

const name = fc.constantFrom("a", "a/b", "ü\0", "..");
const nth = fc.nat(9);
const outcome = fc.constantFrom("done" as const, "fail" as const, "retry" as const, "hang" as const);

const ofState = [
  fc.record({ do: fc.constant("put" as const), key: name, value: fc.jsonValue(), ttl: fc.boolean() }),
  fc.record({ do: fc.constant("delete" as const), key: name }),
];
const ofSessions = [
  fc.record({ do: fc.constant("create" as const), user: name, context: fc.dictionary(name, fc.jsonValue()) }),
  fc.record({ do: fc.constant("patch" as const), nth, context: fc.dictionary(name, fc.jsonValue()) }),
  fc.record({
    do: fc.constantFrom("touch" as const, "rotate" as const, "close" as const, "reuse" as const),
    nth,
  }),
];
const ofExecutions = [
  fc.record({
    do: fc.constant("submit" as const),
    nth,
    type: fc.constantFrom("order", "report", "nobody's"),
    outcomes: fc.tuple(outcome, outcome),
    key: fc.option(name, { nil: undefined }),
  }),
  fc.record({ do: fc.constantFrom("cancel" as const, "retry" as const, "signal" as const), nth }),
  fc.record({
    do: fc.constant("resolve" as const),
    nth,
    action: fc.constantFrom("retry" as const, "done" as const, "skip" as const, "abort" as const),
    step: fc.constantFrom(undefined, "one", "two"),
  }),
];
const ofTime = [
  fc.record({ do: fc.constant("turn" as const), ms: fc.integer({ min: 1, max: 20 * MINUTE_MS }) }),
  fc.record({ do: fc.constant("retain" as const) }),
  fc.record({ do: fc.constant("shift" as const), ms: fc.integer({ min: -5 * MINUTE_MS, max: MINUTE_MS }) }),
];
const action = fc.oneof(...ofState, ...ofSessions, ...ofExecutions, ...ofTime);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/** Rounds of what is done at the same time. */
export const history = fc.array(fc.array(action, { minLength: 1, maxLength: 5 }), { maxLength: 20 });

export const TENANT = "t";
/** As short as it never is, so that time goes beyond it. */
const KEEP_MS = 10 * MINUTE_MS;

interface World {
  rig: PlaneRig;
  retention: Retention;
  executions: Executions;
  sessions: { id: string; token: string }[];
  submitted: string[];
}

export interface Played {
  engine: Engine;
  executions: Executions;
  /** Of every execution that there is. */
  submitted: readonly string[];
}

/** Plays `rounds` by two planes over one store, until nothing but time would change anything. */
export async function play(rig: PlaneRig, rounds: readonly (readonly Action[])[]): Promise<Played> {
  const engine = engineOver(rig);
  rig.plane.start();
  const planes = [rig.plane, rig.other()].map((plane) => plane.tenant(TENANT));
  const { sessions } = planes[0] as TenantPlane;
  const executions = new TenantExecutions({ tenant: TENANT, engine, sessions, limits: LIMITS });
  const onFailed = (error: unknown) => assert.fail(String(error));
  const retention = new Retention({
    store: rig.store,
    clock: rig.clock,
    keepMs: KEEP_MS,
    onLooked() {},
    onFailed,
  });
  const world: World = { rig, retention, executions, sessions: [], submitted: [] };
  await engine.recover();
  engine.run();
  for (const round of rounds) {
    const outcomes = await Promise.allSettled(
      round.map((one, index) => act(world, planes[index % 2] as TenantPlane, one)),
    );
    for (const one of outcomes)
      if (one.status === "rejected") assert.ok(one.reason instanceof PlaneError, one.reason);
  }
  await rig.clock.advance(0);
  await rig.plane.stop();
  return { engine, executions, submitted: world.submitted };
}

async function act(world: World, { state, sessions }: TenantPlane, one: Action): Promise<unknown> {
  const { rig, executions } = world;
  switch (one.do) {
    case "turn":
      return rig.clock.advance(one.ms);
    case "retain":
      return world.retention.look();
    case "shift":
      // Where a server's clock is set back, what is put then and lives shorter than that is gone at once for those who saw the later time:
      // nothing that was seen expired comes back (S4). The log does not say what anybody has seen.
      return rig.shift(rig.isShared ? Math.abs(one.ms) : one.ms);
    case "put":
      return state.put("n/s", one.key, {
        value: one.value as never,
        ...(one.ttl && { ttlMs: MINUTE_MS }),
      });
    case "delete":
      return state.delete("n/s", one.key);
    case "create":
      return world.sessions.push(await sessions.create({ user: one.user, context: one.context as never }));
    case "patch":
    case "touch":
    case "rotate":
    case "close":
    case "reuse": {
      const session = at(world.sessions, one.nth);
      if (!session) return undefined;
      if (one.do === "patch") return sessions.patch(session.id, { context: one.context as never });
      if (one.do === "reuse") return rig.plane.sessionOf(session.token);
      return sessions[one.do](session.id);
    }
    case "submit": {
      const session = at(world.sessions, one.nth);
      if (!session) return undefined;
      const intent = { type: one.type, session: session.id, payload: one.outcomes };
      const { id } = await executions.submit(
        one.key === undefined ? intent : { ...intent, idempotencyKey: one.key },
      );
      return world.submitted.push(id);
    }
    default:
      return order(world, one);
  }
}

async function order(
  { executions, submitted }: World,
  one: Extract<Action, { do: "cancel" | "retry" | "signal" | "resolve" }>,
): Promise<unknown> {
  const id = at(submitted, one.nth);
  if (id === undefined) return undefined;
  if (one.do === "signal") return executions.signal(id, { name: "go", payload: one.nth });
  if (one.do !== "resolve") return executions[one.do](id);
  const step = one.step === undefined ? {} : { step: one.step };
  return executions.resolve(id, { action: one.action, ...step, output: { by: "hand" } });
}

const at = <T>(all: readonly T[], index: number): T | undefined => all[index % all.length];

function engineOver(rig: PlaneRig): Engine {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: 1 << 20 });
  const execute =
    (index: 0 | 1) =>
    ({ input, attempt }: { input: unknown; attempt: number }): unknown => {
      const what = (input as string[])[index];
      if (what === "hang") return new Promise(() => {});
      if (what === "fail") throw new Error("no");
      if (what === "retry" && attempt === 1) throw new Retry("not yet");
      return { of: index };
    };
  const compensate = (): void => {};
  const timeout = "1m";
  intents.registerSaga(
    saga("order", { timeout: "1h" })
      .step("one", { execute: execute(0), compensate, timeout, inDoubt: "manual" })
      .sleep("night", "2m")
      .signal("go", { timeout: "10m" })
      .step("two", { execute: execute(1), compensate, timeout, pivot: true }),
  );
  intents.register("report", {}, ({ input, signal }) => {
    if ((input as string[])[0] === "hang")
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
    return execute(0)({ input, attempt: 2 });
  });
  return new Engine({
    store: exclusive(rig.store as Store & Ownerships),
    intents,
    clock: rig.clock,
    failpoint() {},
    keepMs: 10_000 * MINUTE_MS,
    random: () => 0.5,
    onError: (message, error) => assert.fail(`${message} ${String(error)}`),
  });
}
