// What is said of a scheduled task: when it runs next, and how often it was started again, which its runs are not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spec } from "../core/arbitrary.ts";
import { operatorOf, service, supervised } from "./rig.ts";

const MINUTE_MS = 60_000;
const everyMinute = { next: (afterMs: number) => (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS };

function rig() {
  const { supervisor, clock } = supervised({
    // As others do who are told of something.
    emit: () => void supervisor.snapshot(),
  });
  const restart = { ...spec("job").restart, policy: "on-failure" as const };
  const own = { task: true, critical: false, schedule: { overlap: "skip" as const }, restart };
  const job = service("job", own, { obliging: false });
  const services = [{ ...job, schedule: everyMinute }, service("api")];
  const end = (code: number) => job.launcher.report({ type: "exited", code, signal: null });
  const operator = operatorOf(supervisor);
  return { supervisor, clock, services, end, job: () => operator.service("job") };
}

test("A scheduled task that waits for its time says which, wherever it is asked", async () => {
  const { supervisor, clock, services, end, job } = rig();
  const reason = "waits for its time, next at 2026-01-01T00:01:00Z";
  await supervisor.run(services);
  assert.equal(job()?.reason, reason);
  assert.equal(supervisor.snapshot().components["job"]?.reason, reason);
  await clock.advance(MINUTE_MS);
  assert.equal(job()?.reason, "has not completed");
  end(0);
  await supervisor.shutdown();
});

test("A scheduled task counts as restarts what it is started again for, not its runs", async () => {
  const { supervisor, clock, services, end, job } = rig();
  await supervisor.run(services);
  for (let run = 0; run < 3; run++) {
    await clock.advance(MINUTE_MS);
    end(0);
  }
  assert.deepEqual([job()?.state, job()?.restarts], ["completed", 0]);
  await clock.advance(MINUTE_MS);
  end(1);
  assert.deepEqual([job()?.state, job()?.restarts], ["starting", 1]);
  end(0);
  await supervisor.replace(services, new Set(["job"]));
  await clock.advance(MINUTE_MS);
  assert.equal(job()?.restarts, 1);
  end(0);
  await supervisor.shutdown();
});
