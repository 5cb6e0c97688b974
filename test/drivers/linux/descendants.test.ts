// What services leave behind, made with real processes: those that call setsid(), fork twice, ignore or cannot hear the stop
// signal, close their pipes, or wipe their environment.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { after, test } from "node:test";
import { descendantsOf, killIfSame, trackDescendants } from "../../../src/drivers/linux/descendants.ts";
import { spawn as spawnByNode } from "../../../src/drivers/spawn-node.ts";
import { processLauncher } from "../../../src/drivers/process/launcher.ts";
import { record, type Recorded } from "../../contracts/outcomes.ts";
import { isRunning } from "../../e2e/support/runtime.ts";

const linuxOnly = { skip: process.platform === "linux" ? false : "looks into /proc", timeout: 20_000 };
const track = () => trackDescendants({ adopts: () => false, environment: {} });
const all = track();
let started = 0;
const leftovers = new Set<number>();
after(() => {
  for (const pid of [...leftovers].filter(isRunning)) process.kill(pid, "SIGKILL");
});

interface Started extends Recorded {
  /** The first process id that it has written after this word. */
  pidOf(word: string): Promise<number>;
}

/** A shell script as a service. What it writes as `WORD PID` can be asked for. */
function start(
  script: string,
  { descendants = all, service = `app-${++started}`, incarnation = 1 } = {},
): Started {
  let written = "";
  const waiting = new Set<() => void>();
  const launcher = processLauncher({
    spawn: spawnByNode,
    process: {
      type: "process",
      argv: ["sh", "-c", script],
      cwd: "/",
      environment: {},
      stdin: "null",
      stopSignal: "SIGTERM",
      forwardSignals: [],
    },
    environment: { PATH: process.env["PATH"] },
    lookUpIds: () => ({}),
    output: () => ({
      write(chunk) {
        written += new TextDecoder().decode(chunk);
        for (const look of waiting) look();
        return undefined;
      },
      end() {},
    }),
    family: (number) => descendants.of(service, number),
  });
  const pidOf = (word: string): Promise<number> =>
    new Promise((resolve) => {
      const look = (): void => {
        const pid = Number(new RegExp(`^${word} (\\d+)$`, "m").exec(written)?.[1] ?? 0);
        if (pid === 0) return;
        leftovers.add(pid);
        resolve(pid);
      };
      waiting.add(look);
      look();
    });
  return { ...record(launcher, incarnation), pidOf };
}

/** Says its process id and stays. */
const STAY = (word: string): string => `sh -c 'echo ${word} $$; exec sleep 60'`;
const DAEMON = `(setsid ${STAY("escaped")} &)`;

test("stop ends a daemon that was forked twice, before exited is reported", linuxOnly, async () => {
  const { running, end, pidOf } = start(
    `${DAEMON}; trap 'exit 7' TERM; echo up $$; while :; do sleep 0.01; done`,
  );
  const escaped = await pidOf("escaped");
  await pidOf("up");
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: 7, signal: null });
  assert.ok(!isRunning(escaped));
});

test("kill ends a daemon, and a child in a session of its own", linuxOnly, async () => {
  const script = `trap '' TERM; ${DAEMON}; setsid ${STAY("session")} & echo up $$; while :; do sleep 0.01; done`;
  const { running, end, pidOf } = start(script);
  const pids = await Promise.all([pidOf("escaped"), pidOf("session"), pidOf("up")]);
  running.stop();
  assert.ok(pids.every(isRunning));
  running.kill();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGKILL" });
  assert.deepEqual(pids.filter(isRunning), []);
});

test("stop finds a child that has wiped its environment and left the group", linuxOnly, async () => {
  const { running, end, pidOf } = start(`setsid env -i ${STAY("wiped")} & echo up $$; wait`);
  const wiped = await pidOf("wiped");
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGTERM" });
  assert.ok(!isRunning(wiped));
});

test("who is still in the group after the exit has until kill", linuxOnly, async () => {
  const lingering = `sh -c 'trap "echo asked \\$\\$; trap : TERM" TERM; echo slow $$; while :; do sleep 0.01; done'`;
  const { running, end, outcomes, pidOf } = start(`${lingering} & echo up $$; wait`);
  const [slow, head] = await Promise.all([pidOf("slow"), pidOf("up")]);
  running.stop();
  await pidOf("asked");
  await untilGone(head);
  // Other services live their whole lives meanwhile.
  for (let life = 0; life < 5; life++) await start("true", { service: "other" }).end;
  assert.equal(outcomes.length, 1);
  assert.ok(isRunning(slow));
  running.kill();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGTERM" });
  assert.ok(!isRunning(slow));
});

test("who ends in time after the exit is waited for, not killed", linuxOnly, async () => {
  const polite = `sh -c 'trap "sleep 0.1; echo done \\$\\$; exit" TERM; echo polite $$; while :; do sleep 0.01; done'`;
  const { running, end, pidOf } = start(`${polite} & echo up $$; wait`);
  const pids = await Promise.all([pidOf("polite"), pidOf("up")]);
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGTERM" });
  // Written before it ended, so before the end was reported.
  assert.equal(await pidOf("done"), pids[0]);
  assert.ok(!pids.some(isRunning));
});

test("stop reaches a process that has been stopped, and lets it act", linuxOnly, async () => {
  const { running, end, pidOf } = start("trap 'exit 5' TERM; echo up $$; while :; do sleep 0.01; done");
  process.kill(await pidOf("up"), "SIGSTOP");
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: 5, signal: null });
});

test("kill reaches a process, and a daemon of it, that have been stopped", linuxOnly, async () => {
  const { running, end, pidOf } = start(`${DAEMON}; trap '' TERM; echo up $$; while :; do sleep 0.01; done`);
  const pids = await Promise.all([pidOf("up"), pidOf("escaped")]);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  running.kill();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGKILL" });
  assert.deepEqual(pids.filter(isRunning), []);
});

test("a process and a daemon that have closed their pipes end all the same", linuxOnly, async () => {
  const daemon = `(setsid sh -c 'echo escaped $$; exec sleep 60 >&- 2>&-' &)`;
  const { running, end, pidOf } = start(`${daemon}; echo up $$; exec sleep 60 >&- 2>&-`);
  const escaped = await pidOf("escaped");
  await pidOf("up");
  running.stop();
  assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGTERM" });
  assert.ok(!isRunning(escaped));
});

test(
  "what a process leaves when it exits by itself stays until the next incarnation of that service",
  linuxOnly,
  async () => {
    const descendants = track();
    const first = start(DAEMON, { descendants, service: "app" });
    const escaped = await first.pidOf("escaped");
    assert.deepEqual(await first.end, { type: "exited", code: 0, signal: null });
    await start("true", { descendants, service: "other" }).end;
    assert.ok(isRunning(escaped));
    const next = start("sleep 60", { descendants, service: "app", incarnation: 2 });
    await untilGone(escaped);
    next.running.kill();
    await next.end;
  },
);

test("end kills what is left of any incarnation, of this runtime only", linuxOnly, async () => {
  const descendants = track();
  const ours = [1, 2].map((number) =>
    start(DAEMON, { descendants, service: `app-${number}`, incarnation: 10 }),
  );
  const foreign = start(DAEMON, { descendants: track() });
  const pids = await Promise.all(ours.map(({ pidOf }) => pidOf("escaped")));
  const other = await foreign.pidOf("escaped");
  await Promise.all([...ours, foreign].map(({ end }) => end));
  await descendants.end();
  assert.deepEqual(pids.filter(isRunning), []);
  assert.ok(isRunning(other));
});

test("a runtime inside a runtime adds its word, and both find what comes of it", linuxOnly, async () => {
  const outer = track();
  const family = outer.of("inner", 1);
  const inner = trackDescendants({ adopts: () => false, environment: family.environment });
  const words = inner.of("app", 3).environment["HARAKA_INCARNATION"]?.split(" ") ?? [];
  assert.deepEqual(
    words.map((word) => word.split("/").slice(1)),
    [
      ["inner", "1"],
      ["app", "3"],
    ],
  );
  for (const each of [inner, outer]) {
    const { end, pidOf } = start(DAEMON, { descendants: inner });
    const escaped = await pidOf("escaped");
    await end;
    await each.end();
    assert.ok(!isRunning(escaped));
  }
});

test(
  "descendantsOf sees every level and session, and not those whose chain is broken",
  linuxOnly,
  async () => {
    const script = `sh -c "setsid sh -c 'sleep 60 & echo low \\$!; wait' & wait" & ${DAEMON}; echo up $$; wait`;
    const { running, end, pidOf } = start(script);
    const [low, escaped, up] = await Promise.all([pidOf("low"), pidOf("escaped"), pidOf("up")]);
    const found = descendantsOf(up).map(({ pid }) => pid);
    assert.ok(found.includes(low));
    assert.ok(!found.includes(escaped));
    assert.equal(found.length, 3);
    running.kill();
    await end;
    assert.deepEqual(descendantsOf(up), []);
  },
);

test("a number that has passed on to somebody else is not signalled", linuxOnly, async () => {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const pid = child.pid ?? 0;
  leftovers.add(pid);
  const [, started = ""] = /\) (?:\S+ ){19}(\S+) /.exec(readFileSync(`/proc/${pid}/stat`, "latin1")) ?? [];
  killIfSame({ pid, startTime: String(Number(started) - 1) });
  // Had it been signalled it would be dead by the time another process has come and gone.
  execFileSync("true");
  assert.ok(isRunning(pid));
  killIfSame({ pid, startTime: started });
  await untilGone(pid);
});

test("end is immediate when nobody is left", linuxOnly, async () => {
  // Looking at our children only: anywhere else somebody may be becoming another program just now.
  const family = trackDescendants({ adopts: () => true, environment: {} }).of("app", 1);
  const child = spawn("true", { env: { ...process.env, ...family.environment } });
  family.born(child.pid ?? 0);
  family.remember();
  await new Promise((resolve) => void child.once("exit", resolve));
  assert.equal(family.end(), undefined);
});

/** Asks the system again and again; the test's timeout is its limit. */
async function untilGone(pid: number): Promise<void> {
  while (isRunning(pid)) await new Promise(setImmediate);
}
