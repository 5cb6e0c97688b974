// What the commands of probes start and leave behind: it ends with the run of the probe, however that ends, also of a module's
// probe and at the end of the runtime. Real processes, through the binary.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, suite, test } from "node:test";
import { haraka, isRunning, type Runtime, start } from "./support/runtime.ts";

const linuxOnly = process.platform === "linux" ? false : "looks into /proc";
const known = new Set<number>();
after(() => {
  for (const pid of [...known].filter(isRunning)) process.kill(pid, "SIGKILL");
});

/** Leaves one in its own group and one in a session of its own, and writes down who they are. */
const LEAVE = "sleep 1000 & echo $! >> pids; setsid sleep 1000 & echo $! >> pids";
/** Leaves them and does not end, the first time. */
const HANG_ONCE = `test -e pids && exit 0; ${LEAVE}; sleep 1000`;

/** Those that a probe has left and that still run, among the first so many. */
function leftovers({ folder }: Runtime, count = Infinity): number[] {
  const pids = readFileSync(join(folder, "pids"), "utf8").trim().split("\n").map(Number);
  for (const pid of pids) known.add(pid);
  assert.ok(pids.length >= 2);
  return pids.slice(0, count).filter(isRunning);
}

const OF_A_PROCESS = 'command: [sleep, "1000"]';
const OF_A_MODULE = "entrypoint: ./app.ts";
const MODULE = "export default { startup() {} };";

suite("nothing of a probe runs on", { skip: linuxOnly }, () => {
  for (const [whose, service] of [
    ["a process", OF_A_PROCESS],
    ["a module", OF_A_MODULE],
  ]) {
    for (const [how, script] of [
      ["has passed", LEAVE],
      ["has run out of time", HANG_ONCE],
    ]) {
      test(`when the probe of ${whose} ${how}`, async () => {
        const readiness = `{ exec: [sh, -c, ${JSON.stringify(script)}], interval: 50ms, timeout: 500ms }`;
        const yaml = `http: false\nservices: { app: { ${service}, readiness: ${readiness} } }`;
        await using runtime = start({ files: { "runtime.yaml": yaml, "app.ts": MODULE } });
        await runtime.record("app", /^ready/);
        // The next run may be under way.
        assert.deepEqual(leftovers(runtime, 2), []);
        await runtime.stop();
        assert.deepEqual(leftovers(runtime), []);
      });
    }
  }

  /** Its liveness probe has begun, has left what it leaves, and goes on. */
  async function whileItsProbeRuns(): Promise<Runtime> {
    const probes = [
      `liveness: { exec: [sh, -c, ${JSON.stringify(`${LEAVE}; sleep 1000`)}], timeout: 60s }`,
      'readiness: { exec: [sh, -c, "test $(wc -l < pids) -eq 2"], interval: 20ms }',
    ];
    const yaml = `http: false\nservices: { app: { ${OF_A_PROCESS}, ${probes.join(", ")} } }`;
    const runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.record("app", /^ready/);
    assert.equal(leftovers(runtime).length, 2);
    return runtime;
  }

  test("when the runtime ends while the probe runs", async () => {
    await using runtime = await whileItsProbeRuns();
    await runtime.stop();
    assert.deepEqual(leftovers(runtime), []);
  });

  test("when its service stops while the probe runs", async () => {
    await using runtime = await whileItsProbeRuns();
    const { code, stderr } = await haraka({ args: ["stop", "app"], cwd: runtime.folder });
    assert.deepEqual([code, stderr], [0, ""]);
    await runtime.record("app", /^stopped/);
    // Nobody waits for the end of a probe whose answer is of no use any more.
    while (leftovers(runtime).length > 0) await new Promise((turn) => setImmediate(turn));
    assert.equal((await runtime.stop()).code, 0);
  });
});
