// What services say of themselves: what the probes make of it, and how real processes say it on a descriptor of theirs.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { spawn as spawnByNode } from "../../src/drivers/spawn-node.ts";
import { newlineSink, notifyProbe, watchdogProbe } from "../../src/drivers/notify-probe.ts";
import type { LaunchOutcome, Running } from "../../src/ports/launcher.ts";
import type { Notice } from "../../src/ports/probe.ts";
import type { Spawn } from "../../src/ports/spawn.ts";
import { launcherOf, spawnByBun } from "../contracts/commands.ts";

const never = new AbortController().signal;
const mute = { type: "mute", reason: "no tongue" } as const;

test("notifyProbe resolves a pending check the moment readiness is said, and latches", async () => {
  const probe = notifyProbe({ once: true });
  const pending = [probe.check(never), probe.check(never)];
  assert.equal(probe.waits, true);
  for (const type of ["alive", "reloading", "trigger"] as const) probe.hear({ type });
  probe.hear({ type: "ready" });
  assert.deepEqual(await Promise.all(pending), [{ ok: true }, { ok: true }]);
  assert.deepEqual(await probe.check(never), { ok: true });
  assert.equal(probe.waits, true);
});

test("notifyProbe that gave up waiting says what the service says it does", async () => {
  const probe = notifyProbe({ once: false });
  const stop = new AbortController();
  const pending = probe.check(stop.signal);
  probe.hear({ type: "status", text: "reading the tables" });
  stop.abort();
  const reason = 'it has not said that it is ready; its status is "reading the tables"';
  assert.deepEqual(await pending, { ok: false, reason });
});

test("notifyProbe is asked again after readiness, and fails from when the service stops until it is ready again", async () => {
  const probe = notifyProbe({ once: false });
  assert.equal(probe.waits, true);
  probe.hear({ type: "ready" });
  assert.equal(probe.waits, false);
  probe.hear({ type: "reloading" });
  assert.equal((await probe.check(never)).ok, true);
  probe.hear({ type: "stopping" });
  assert.deepEqual(await probe.check(never), {
    ok: false,
    reason: "it says that it is stopping",
    certain: true,
  });
  probe.hear({ type: "ready" });
  assert.equal((await probe.check(never)).ok, true);
});

test("notifyProbe fails at once when the service cannot say it, unless it has", async () => {
  const probe = notifyProbe({ once: true });
  const pending = probe.check(never);
  probe.hear(mute);
  assert.deepEqual(await pending, { ok: false, reason: "no tongue" });
  probe.reset();
  probe.hear({ type: "ready" });
  probe.hear(mute);
  assert.equal((await probe.check(never)).ok, true);
  probe.reset();
  assert.equal((await probe.check(AbortSignal.abort())).ok, false);
});

test("watchdogProbe passes while signs of life come in time, and again after a new start", async () => {
  let nowMs = 0;
  const probe = watchdogProbe({ periodMs: 1000, now: () => nowMs });
  const ask = async () => await probe.check(never);
  nowMs = 1000;
  assert.deepEqual(await ask(), { ok: true });
  probe.hear({ type: "alive" });
  nowMs = 2000;
  assert.deepEqual(await ask(), { ok: true });
  nowMs = 2001;
  assert.deepEqual(await ask(), { ok: false, reason: "no WATCHDOG=1 for 1001ms, expected every 1000ms" });
  probe.hear({ type: "ready" });
  assert.deepEqual(await ask(), { ok: true });
  probe.hear({ type: "trigger" });
  probe.hear({ type: "alive" });
  assert.deepEqual(await ask(), {
    ok: false,
    reason: "it asked for a restart (WATCHDOG=trigger)",
    certain: true,
  });
  probe.reset();
  assert.deepEqual(await ask(), { ok: true });
  probe.hear(mute);
  assert.deepEqual(await ask(), { ok: false, reason: "no tongue" });
});

interface Told {
  running: Running;
  notices: Notice[];
  /** Resolves with the first notice. */
  first: Promise<Notice>;
  end: Promise<LaunchOutcome>;
  written: () => string;
}

/** Runs a script whose descriptor `fd` is its notification descriptor; without one it has none. */
function runBy(spawn: Spawn, { script, fd }: { script: string; fd?: number }): Told {
  const notices: Notice[] = [];
  const first = Promise.withResolvers<Notice>();
  const end = Promise.withResolvers<LaunchOutcome>();
  let written = "";
  const launcher = launcherOf(["sh", "-c", script], {
    spawn,
    process: fd === undefined ? {} : { notificationFd: fd },
    write: (chunk) => void (written += new TextDecoder().decode(chunk)),
    notification: () =>
      newlineSink((notice) => {
        notices.push(notice);
        first.resolve(notice);
      }),
  });
  const running = launcher.launch(1, (outcome) => {
    if (outcome.type !== "launched") end.resolve(outcome);
  });
  return { running, notices, first: first.promise, end: end.promise, written: () => written };
}

const closed = { type: "mute", reason: "closed its notification descriptor without saying ready" };

for (const [by, spawn] of [
  ["Bun", spawnByBun],
  ["node:child_process", spawnByNode],
] as const) {
  const run = (script: string, fd?: number): Told =>
    runBy(spawn, { script, ...(fd !== undefined && { fd }) });
  for (const fd of [3, 7]) {
    test(`started by ${by}: a newline on descriptor ${fd} says that the process is ready, and our end is closed`, async () => {
      const script = `printf 'almost' >&${fd}; printf ' there\\n' >&${fd}; while echo more >&${fd}; do sleep 0.01; done`;
      const { first, end, notices } = run(`${script} 2>/dev/null`, fd);
      assert.deepEqual(await first, { type: "ready" });
      // The loop ends, by an error or a signal, when nobody reads any more.
      assert.equal((await end).type, "exited");
      assert.deepEqual(notices, [{ type: "ready" }]);
    });

    test(`started by ${by}: closing descriptor ${fd} without a newline is said, while the process goes on`, async () => {
      const { running, first, end, notices } = run(`printf hello >&${fd}; exec ${fd}>&-; sleep 60`, fd);
      assert.deepEqual(await first, closed);
      running.kill();
      await end;
      assert.deepEqual(notices, [closed]);
    });

    test(`started by ${by}: ending without a newline on descriptor ${fd} is the same`, async () => {
      const { first, end } = run("exit 4", fd);
      assert.deepEqual(await first, closed);
      assert.deepEqual(await end, { type: "exited", code: 4, signal: null });
    });
  }

  test(`started by ${by}: a process that keeps its descriptor ends as any other`, async () => {
    const { first, end, written } = run("echo >&3; sleep 60 & echo $!; exit 0", 3);
    assert.deepEqual(await first, { type: "ready" });
    assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
    process.kill(Number(written()));
  });

  test(`started by ${by}: a process has its notification descriptor and no other, though several are open`, async () => {
    const list = "fd=0; while [ $fd -lt 300 ]; do [ -e /proc/$$/fd/$fd ] && echo $fd; fd=$((fd + 1)); done";
    const others = [run("sleep 60", 3), run("sleep 60", 9)];
    const plain = run(list);
    const notified = run(`${list}; echo >&5`, 5);
    await Promise.all([plain.end, notified.end]);
    const without = plain.written().split("\n");
    const gained = notified
      .written()
      .split("\n")
      .filter((fd) => !without.includes(fd));
    assert.deepEqual(gained, ["5"]);
    for (const { running } of others) running.kill();
    await Promise.all(others.map(({ end }) => end));
  });

  test(`started by ${by}: whatever is said, no descriptor is left`, async () => {
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    const scripts = ["echo >&3", "exit 1", "exec 3>&-; exit 1", "echo >&3; echo >&3; exec 3>&-; exit 1"];
    const round = async (): Promise<void> => {
      const told = scripts.map((script) => run(script, 3));
      await Promise.all(told.flatMap(({ first, end }) => [first, end]));
    };
    await round();
    const before = descriptors();
    for (let rounds = 0; rounds < 5; rounds++) await round();
    // The last ones may be closed a moment after they are heard of.
    while (descriptors() > before) await new Promise((turn) => setImmediate(turn));
  });
}
