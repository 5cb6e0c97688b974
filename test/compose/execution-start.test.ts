// When executions begin to move, over a supervisor on a clock that is turned by hand.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExecutionStart } from "../../src/compose/execution-start.ts";
import type { SupervisorOptions } from "../../src/runtime/supervisor.ts";
import { fast, service, supervised } from "../runtime/rig.ts";

/** What was begun without whom; empty until then. */
function watched({
  timeoutMs = 60_000,
  ...options
}: { timeoutMs?: number } & Partial<SupervisorOptions> = {}) {
  const begun: (readonly string[])[] = [];
  const startup = { timeoutMs, concurrency: Infinity, onFailure: "continue" as const };
  const rig = supervised({
    startup,
    emit: (event) => start.observe(event, () => rig.supervisor.fleet),
    ...options,
  });
  const start = new ExecutionStart({ clock: rig.clock, timeoutMs, begin: (missing) => begun.push(missing) });
  return { ...rig, begun };
}

const manual = (name: string, options = {}) => service(name, { readiness: "manual", ...options });

describe("ExecutionStart", () => {
  test("begins with the startup's end when everybody is ready", async () => {
    const { supervisor, begun } = watched();
    await supervisor.run([service("a"), service("b")]);
    assert.deepEqual(begun, [[]]);
  });

  test("waits for who has started and is not ready, and begins once", async () => {
    const { supervisor, clock, begun } = watched();
    await supervisor.run([manual("a"), service("b")]);
    await clock.advance(59_000);
    assert.deepEqual(begun, []);
    supervisor.markReady("a");
    assert.deepEqual(begun, [[]]);
    await clock.advance(120_000);
    assert.equal(begun.length, 1);
  });

  test("begins without who is not ready when the time of the startup is over, and says without whom", async () => {
    const { supervisor, clock, begun } = watched({ timeoutMs: 5_000 });
    await supervisor.run([manual("a"), service("b"), manual("c")]);
    await clock.advance(4_999);
    assert.deepEqual(begun, []);
    await clock.advance(1);
    assert.deepEqual(begun, [["a", "c"]]);
  });

  test("waits for nobody who has failed or was stopped", async () => {
    const { supervisor, begun } = watched();
    const a = manual("a", { critical: false });
    await supervisor.run([a, manual("b")]);
    a.launcher.report(fast(1));
    assert.deepEqual(begun, []);
    supervisor.order({ type: "hold-requested", services: ["b"] });
    assert.deepEqual(begun, [[]]);
  });

  test("begins nothing once the end has begun", async () => {
    const { supervisor, clock, begun } = watched();
    await supervisor.run([manual("a")]);
    const ended = supervisor.shutdown();
    supervisor.markReady("a");
    await clock.advance(120_000);
    await ended;
    assert.deepEqual(begun, []);
  });
});
