// Commands as probes: how they are run, what their failure says, and that none is left when its time is up.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { execProbe } from "../../src/drivers/exec-probe.ts";
import type { LaunchOutcome } from "../../src/ports/launcher.ts";
import type { ProbeResult } from "../../src/ports/probe.ts";
import { execOf } from "../contracts/commands.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-test-")));
after(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;
const fifo = (name: string): string => {
  execFileSync("sh", ["-c", `mkfifo ${join(folder, name)}`]);
  return join(folder, name);
};

async function reasonOf(...args: Parameters<typeof execOf>): Promise<string> {
  const result = await execOf(...args).check(never);
  return result.ok ? assert.fail("passed") : result.reason;
}

test("check runs the arguments as they are, without a shell, in the folder and environment given", async () => {
  const script =
    '[ "$1" = "a b" ] && [ "$2" = "\\$HOME|*" ] && [ "$PWD" = "$EXPECTED" ] || { echo "$@ in $PWD"; exit 1; }';
  const probe = execOf(["sh", "-c", script, "sh", "a b", "$HOME|*"], {
    cwd: folder,
    environment: { EXPECTED: folder },
  });
  assert.deepEqual(await probe.check(never), { ok: true });
});

test("the reason has the exit code or the signal, and the last line of either stream", async () => {
  assert.equal(await reasonOf(["false"]), '"false" ended with 1');
  assert.equal(await reasonOf(["sh", "-c", "echo one; echo two; echo; exit 3"]), '"sh" ended with 3: two');
  assert.equal(await reasonOf(["sh", "-c", "echo refused >&2; exit 2"]), '"sh" ended with 2: refused');
  assert.equal(await reasonOf(["sh", "-c", "echo late; kill -SEGV $$"]), '"sh" was ended by SIGSEGV: late');
});

test("the reason says that there is no such command, and where it was looked for", async () => {
  const environment = { PATH: "/usr/bin:/nowhere" };
  assert.equal(
    await reasonOf(["no-such-command"], { environment }),
    'command "no-such-command" not found in PATH (/usr/bin:/nowhere)',
  );
  assert.equal(await reasonOf(["true"], { cwd: "/no/such" }), 'working directory "/no/such" does not exist');
});

test("the quoted line is bounded, and without colours and control characters", async () => {
  const red = "printf '\\033[31mred\\033[0m\\007\\r\\n'; exit 1";
  assert.equal(await reasonOf(["sh", "-c", red]), '"sh" ended with 1: red');
  const flood = "head -c 10000000 /dev/zero | tr '\\0' x; exit 1";
  assert.equal(await reasonOf(["sh", "-c", flood]), `"sh" ended with 1: ${"x".repeat(200)}…`);
  const bytes = "printf 'a\\377b'; exit 1";
  assert.equal(await reasonOf(["sh", "-c", bytes]), '"sh" ended with 1: a\uFFFDb');
});

test("an abort kills the whole group, whatever it ignores", async () => {
  const [up, alive] = [fifo("up"), fifo("alive")];
  // Both hold the second pipe open as long as they live.
  const script = `trap '' TERM; exec 9>${alive}; (trap '' TERM; while :; do sleep 60; done) & echo up >${up}; while :; do sleep 60; done`;
  const gone = readFile(alive);
  const stop = new AbortController();
  const check = execOf(["sh", "-c", script]).check(stop.signal);
  await readFile(up);
  stop.abort();
  assert.deepEqual(await check, { ok: false, reason: '"sh" took too long and was killed' });
  await gone;
});

test("checks at the same time share one run, which goes on until the last of them gives up", async () => {
  const [up, go] = [fifo("shared-up"), fifo("shared-go")];
  const probe = execOf(["sh", "-c", `echo $$ >${up}; read answer <${go}; [ "$answer" = yes ]`]);
  const stop = new AbortController();
  const given = probe.check(stop.signal);
  const kept = [probe.check(never), probe.check(never)];
  const pid = (await readFile(up, "utf8")).trim();
  stop.abort();
  assert.equal((await given).ok, false);
  execFileSync("sh", ["-c", `kill -0 ${pid} && echo yes >${go}`]);
  assert.deepEqual(await Promise.all(kept), [{ ok: true }, { ok: true }]);
});

/** A command whose every step is told here. */
function scripted() {
  const reports: ((outcome: LaunchOutcome) => void)[] = [];
  let kills = 0;
  const probe = execProbe({
    command: "slow",
    launcher: () => ({
      launch(_incarnation, report) {
        reports.push(report);
        report({ type: "launched", pid: 1 });
        return { stop() {}, kill: () => void kills++ };
      },
    }),
  });
  const end = (run: number, code: number): void => reports[run]?.({ type: "exited", code, signal: null });
  return { probe, end, runs: () => reports.length, kills: () => kills };
}

test("while a killed run is not gone no second one begins", async () => {
  const { probe, end, runs, kills } = scripted();
  const aborted = (): [AbortController, Promise<ProbeResult>] => {
    const stop = new AbortController();
    return [stop, probe.check(stop.signal)];
  };
  const [first, firstCheck] = aborted();
  first.abort();
  assert.equal((await firstCheck).ok, false);
  const [second, secondCheck] = aborted();
  second.abort();
  assert.deepEqual(await secondCheck, { ok: false, reason: '"slow" was killed and is not gone yet' });
  const third = probe.check(never);
  const fourth = probe.check(never);
  assert.deepEqual([runs(), kills()], [1, 1]);
  end(0, 137);
  while (runs() < 2) await Promise.resolve();
  end(1, 0);
  assert.deepEqual(await Promise.all([third, fourth]), [{ ok: true }, { ok: true }]);
  assert.equal(runs(), 2);
});

test("a check that was aborted before it began runs nothing", async () => {
  const { probe, runs } = scripted();
  assert.equal((await probe.check(AbortSignal.abort())).ok, false);
  assert.equal(runs(), 0);
});

test("a hundred checks leave no descriptor and no zombie", async () => {
  const descriptors = (): number => readdirSync("/proc/self/fd").length;
  const zombies = (): string[] =>
    readdirSync("/proc/self/task")
      .flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" "))
      .filter((pid) => pid !== "" && /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
  const passing = execOf(["true"]);
  const failing = execOf(["false"]);
  await passing.check(never);
  const before = descriptors();
  for (let check = 0; check < 50; check++) {
    assert.equal((await passing.check(never)).ok, true);
    assert.equal((await failing.check(never)).ok, false);
  }
  // The last ones may be closed a moment after their end is heard of.
  while (descriptors() > before) await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(zombies(), []);
});
