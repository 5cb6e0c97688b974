// What signals mean to the running binary: SIGTERM, SIGINT and SIGQUIT once, a clean stop; during startup, a rollback; again,
// force. Others mean nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { binary } from "./support/binary.ts";
import { isRunning, type Runtime, start } from "./support/runtime.ts";
import { Terminal } from "./support/terminal.ts";

const IDLE = 'command: [sleep, "1000"]';
/** Comes up, says so, and does not end at SIGTERM; nor does its child. */
const STUBBORN = `command: [sh, -c, "trap '' TERM INT; sleep 1000 & echo up $!; wait; wait"], startup: { logPattern: "^up" }`;

/** The ids of the stubborn process and of its child. */
async function stubbornPids(runtime: Runtime): Promise<number[]> {
  const { message } = await runtime.record("stubborn", /^up /);
  const { pid = 0 } = await runtime.record("stubborn", "ready");
  return [pid, Number(String(message).split(" ")[1])];
}

for (const [signal, number] of [
  ["SIGTERM", 15],
  ["SIGINT", 2],
  ["SIGQUIT", 3],
] as const) {
  test(`${signal} stops everything and ends with 0`, async () => {
    await using runtime = start({ files: { "runtime.yaml": `services: { app: { ${IDLE} } }` } });
    const { pid = 0 } = await runtime.record("app", "ready");
    await runtime.started();
    const { code, stderr } = await runtime.signal(signal).ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.ok(!isRunning(pid));
    assert.ok(runtime.messages("haraka").includes(`stopping on ${signal}`));
  });

  test(`${signal} during startup rolls back and ends with ${128 + number}`, async () => {
    await using runtime = start({
      files: {
        "runtime.yaml": `
services:
  db: { ${IDLE} }
  slow: { ${IDLE}, startup: { log: never }, dependencies: [db] }
  api: { ${IDLE}, dependencies: [slow] }
`,
      },
    });
    const { pid = 0 } = await runtime.record("db", "ready");
    const { code, stderr } = await runtime.signal(signal).ended;
    const said = `stopping on ${signal}, startup cancelled`;
    assert.deepEqual({ code, stderr }, { code: 128 + number, stderr: `haraka: ${said}\n` });
    assert.ok(!isRunning(pid));
    assert.deepEqual(runtime.whoBecame("stopped"), ["api", "slow", "db"]);
    assert.ok(runtime.messages("haraka").includes(said));
  });
}

test("signals that mean nothing to the runtime neither end it nor leave its services behind", async () => {
  await using runtime = start({ files: { "runtime.yaml": `services: { app: { ${IDLE} } }` } });
  await runtime.started();
  runtime.signal("SIGUSR1").signal("SIGUSR2").signal("SIGALRM");
  const { code, stderr } = await runtime.stop();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("SIGQUIT that a service is handed does not stop the runtime", async () => {
  const command = `[sh, -c, "trap 'echo handed' QUIT; echo up; while :; do sleep 0.01; done"]`;
  await using runtime = start({
    files: {
      "runtime.yaml": `services: { app: { command: ${command}, startup: { log: up }, forwardSignals: [SIGQUIT] } }`,
    },
  });
  await runtime.started();
  runtime.signal("SIGQUIT");
  await runtime.record("app", "handed");
  await runtime.stop();
  assert.deepEqual(
    runtime.messages("haraka").filter((message) => String(message).startsWith("stopping")),
    ["stopping on SIGTERM"],
  );
});

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM"] as const) {
  test(`${signal} before the config is read does not end the process by its default action`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "haraka-first-"));
    after(() => rmSync(folder, { recursive: true }));
    const pipe = join(folder, "runtime.yaml");
    execFileSync("mkfifo", [pipe]);
    await using runtime = start({ args: ["run"], cwd: folder });
    // Opens once the runtime reads from it, and waits for what it says.
    const config = await open(pipe, "w");
    runtime.signal(signal);
    await config.writeFile(`services: { task: { kind: task, command: "true" } }`);
    await config.close();
    const { signal: killedBy } = await runtime.ended;
    assert.equal(killedBy, null);
  });
}

test("a second signal within 100 ms is the same request", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `services: { app: { command: [sh, -c, "trap 'sleep 0.2; exit' TERM; echo up; while :; do sleep 0.01; done"], startup: { log: up } } }`,
    },
  });
  await runtime.started();
  runtime.signal("SIGINT").signal("SIGTERM");
  await runtime.record("haraka", "received SIGTERM");
  await runtime.record("haraka", "received SIGINT");
  assert.equal((await runtime.ended).code, 0);
  assert.deepEqual(runtime.whoBecame("stopped"), ["app"]);
});

test("a second signal later than 100 ms kills what does not listen and ends with 128+n", async () => {
  await using runtime = start({
    files: { "runtime.yaml": `services: { stubborn: { ${STUBBORN}, stopTimeout: 60s } }` },
  });
  await runtime.started();
  const pids = await stubbornPids(runtime);
  runtime.signal("SIGTERM");
  const first = await runtime.record("haraka", "received SIGTERM");
  assert.ok(pids.every(isRunning));
  // Signals until one of them comes late enough to count as another request.
  const again = setInterval(() => runtime.signal("SIGINT"), 20);
  const { code } = await runtime.ended;
  clearInterval(again);
  assert.equal(code, 130);
  assert.deepEqual(pids.filter(isRunning), []);
  const last = runtime.records.findLast(({ message }) => message === "received SIGINT");
  assert.ok(Date.parse(last?.time ?? "") - Date.parse(first.time) >= 100);
});

test("a second signal during a rollback ends with 128+n and leaves nothing running", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  stubborn: { ${STUBBORN}, stopTimeout: 60s }
  broken: { kind: task, command: ["false"], dependencies: [stubborn] }
`,
    },
  });
  const pids = await stubbornPids(runtime);
  await runtime.record("haraka", /^cannot start 'broken'/);
  const again = setInterval(() => runtime.signal("SIGTERM"), 20);
  const { code } = await runtime.ended;
  clearInterval(again);
  assert.equal(code, 143);
  assert.deepEqual(pids.filter(isRunning), []);
});

test("stopSignal is the signal that a process is asked with", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `services: { app: { command: [sh, -c, "trap 'echo bye; exit' USR1; echo up; while :; do sleep 0.01; done"], startup: { log: up }, stopSignal: SIGUSR1 } }`,
    },
  });
  await runtime.started();
  assert.equal((await runtime.stop()).code, 0);
  assert.deepEqual(runtime.messages("app", "stdout"), ["up", "bye"]);
});

test("SIGHUP on a terminal reloads, and a terminal that is closed takes the runtime along", async () => {
  await using terminal = new Terminal(
    `echo "pid $$"; exec '${binary()}' run`,
    `services: { idle: { ${IDLE} } }`,
  );
  await terminal.seen(/started/);
  const [, pid] = /pid (\d+)/.exec(terminal.text) ?? [];
  const [, idle] = /service=idle pid=(\d+)/.exec(terminal.text) ?? [];
  process.kill(Number(pid), "SIGHUP");
  await terminal.seen(/no service has changed/);
  assert.ok(isRunning(Number(idle)));
  terminal.close();
  assert.equal(await terminal.ended, 0);
  assert.ok(!isRunning(Number(idle)));
});
