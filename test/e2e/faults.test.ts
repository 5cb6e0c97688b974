// What the world does to a running executable: programs that vanish, limits that are reached, children that misbehave, an output
// that is not there, words that are none. It goes on, says why, and still ends as it should. What other tests show already:
//
// | fault                                               | shown by                                                          |
// | --------------------------------------------------- | ----------------------------------------------------------------- |
// | a child ignores SIGTERM                             | shutdown.test.ts "a process that ignores its stop signal …"       |
// | double-forks                                        | orphans.test.ts "… leaves nothing of its services behind"         |
// | closes its pipes, floods both streams, prints       | logs.test.ts                                                      |
// | 10 MiB without a newline                            |                                                                   |
// | the output is a pipe that nobody reads, or whose    | blocked-output.test.ts                                            |
// | reader goes away                                    |                                                                   |
// | 5,000 orphans as PID 1                              | orphans.test.ts "PID 1 waits for 5,000 orphans …"                 |
// | the path of the control socket is taken             | control.test.ts "is an error where the config names it"           |
// | a second runtime on one socket                      | control.test.ts "is refused with the pid of the first …"          |
// | a wrong token                                       | control.test.ts "with one, its bearers are served …"              |
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chownSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import { askSocket } from "../http/control-rig.ts";
import { binary } from "./support/binary.ts";
import { haraka, type Runtime, start } from "./support/runtime.ts";

const linuxOnly = process.platform === "linux" ? false : "limits are set with prlimit";
const asRoot = linuxOnly || process.getuid?.() === 0 ? linuxOnly : "becoming another user needs root";
const RESTART = "{ policy: always, backoff: 10ms..50ms, limit: 10000/1m }";

/** The process of a service that has become ready most lately. */
function pidOf(runtime: Runtime, service: string): number {
  const last = runtime.records.findLast((each) => each.service === service && each.message === "ready");
  return last?.pid ?? 0;
}

/** Sets a limit of a running process: the soft one, so that it can be taken back. Its user may, and not every root. */
function limit(pid: number, words: string, as: readonly string[] = []): void {
  execFileSync("env", [...as, "prlimit", "--pid", String(pid), words]);
}

/** A user whom nobody else is, so that its processes are ours alone. */
const UID = 54_321;
const AS_ANOTHER = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];

/** A folder of that user, with the executable in it: another user may not be able to enter the folder of the tests. */
function folderOfAnother(): string {
  const folder = mkdtempSync(join(tmpdir(), "haraka-another-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(binary(), join(folder, "haraka"), constants.COPYFILE_FICLONE);
  chownSync(folder, UID, UID);
  return folder;
}

describe("A spawn that fails between restarts", () => {
  test("because the command has vanished is said, and made up for once it is there again", async () => {
    const yaml = `services: { app: { command: [./tool], cwd: ., restart: ${RESTART} } }`;
    const script = "#!/bin/sh\necho up $$\nexec sleep 1000\n";
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    const tool = join(runtime.folder, "tool");
    await runtime.record("app", /^backoff: command ".\/tool" not found/);
    writeFileSync(tool, script, { mode: 0o755 });
    const { pid = 0 } = await runtime.record("app", "ready");
    await runtime.started();
    rmSync(tool);
    process.kill(pid, "SIGKILL");
    await runtime.until("/health/ready", 503);
    writeFileSync(tool, script, { mode: 0o755 });
    await runtime.record("app", new RegExp(`^up (?!${pid}$)\\d+$`));
    await runtime.until("/health/ready", 200);
    assert.equal((await runtime.stop()).code, 0);
  });

  test("for want of file descriptors is said, and made up for", { skip: linuxOnly }, async () => {
    const yaml = `services: { app: { command: [sleep, "1000"], restart: ${RESTART} }, other: { command: [sleep, "1000"] } }`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.started();
    const soft = /Max open files\s+(\d+)/.exec(readFileSync(`/proc/${runtime.pid}/limits`, "utf8"))?.[1];
    limit(runtime.pid, "--nofile=5:");
    process.kill(pidOf(runtime, "app"), "SIGKILL");
    await runtime.record("app", /no file descriptors left; raise the limit \(ulimit -n\)/);
    // Nor is there one for who asks now.
    const asked = runtime.get("/health/live");
    const again = runtime.records.length;
    while (runtime.records.length < again + 5) await new Promise((turn) => setImmediate(turn));
    limit(runtime.pid, `--nofile=${soft}:`);
    assert.equal((await asked).status, 200);
    await runtime.until("/health/ready", 200);
    assert.equal((await runtime.stop()).code, 0);
    assert.deepEqual(runtime.whoBecame("stopped").toSorted(), ["app", "other"]);
  });

  test("for want of processes is said, and made up for", { skip: asRoot }, async () => {
    const folder = folderOfAnother();
    writeFileSync(
      join(folder, "runtime.yaml"),
      `services: { app: { command: [sleep, "1000"], restart: ${RESTART} }, other: { command: [sleep, "1000"] } }`,
    );
    // One time in ten Bun itself wants a thread just then, and ends the process without one.
    let isAborted = true;
    for (let tries = 0; isAborted && tries < 5; tries++) isAborted = !(await goesOn(folder));
    assert.ok(!isAborted, "Bun has aborted five times");
  });

  /** False when Bun has ended the process for want of a thread. */
  async function goesOn(folder: string): Promise<boolean> {
    await using runtime = start({ prefix: AS_ANOTHER, program: [join(folder, "haraka")], cwd: folder });
    await runtime.started();
    limit(runtime.pid, "--nproc=1:", AS_ANOTHER);
    process.kill(pidOf(runtime, "app"), "SIGKILL");
    const aborted = runtime.ended.then(({ stderr }) => /panic.*abort\(\) called/.test(stderr));
    try {
      await runtime.record(
        "app",
        /no processes left; raise the limit \(ulimit -u, or pids of the container\)/,
      );
      limit(runtime.pid, "--nproc=10000:", AS_ANOTHER);
      await runtime.until("/health/ready", 200);
    } catch (error) {
      if (await aborted) return false;
      throw error;
    }
    assert.equal((await runtime.stop()).code, 0);
    assert.deepEqual(runtime.whoBecame("stopped").toSorted(), ["app", "other"]);
    return true;
  }

  test("for want of processes from the first moment on is said, too", { skip: asRoot }, async () => {
    const folder = folderOfAnother();
    writeFileSync(
      join(folder, "runtime.yaml"),
      `http: false\nservices: { app: { command: [sleep, "1000"], replicas: 60, restart: ${RESTART} } }`,
    );
    const prefix = [...AS_ANOTHER, "prlimit", "--nproc=50"];
    await using runtime = start({ prefix, program: [join(folder, "haraka")], cwd: folder });
    await runtime.record("app-60", /no processes left; raise the limit/);
    assert.equal((await runtime.stop()).code, 143, "it had not come up");
  });
});

describe("A child that", () => {
  test("is stopped (SIGSTOP) is asked, woken, and ends by itself", async () => {
    const yaml = `services: { app: { command: [sh, -c, "trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done"], startup: { log: up }, stopTimeout: 1m } }`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.started();
    process.kill(-pidOf(runtime, "app"), "SIGSTOP");
    const { code, stdout } = await runtime.stop();
    assert.equal(code, 0);
    assert.deepEqual(runtime.messages("app", "stdout"), ["up", "bye"]);
    assert.doesNotMatch(stdout, /late/);
  });
});

const TALKS = `
http: false
services:
  talks: { command: [sh, -c, "while :; do echo and so on; done"] }
  api: { command: [sleep, "1000"], dependencies: [talks] }
`;

describe("An output that", () => {
  test("is closed from the start ends nothing", async () => {
    await using runtime = start({
      files: { "runtime.yaml": TALKS },
      prefix: ["sh", "-c", 'exec "$@" >&-', "sh"],
    });
    while ((await haraka({ args: ["health", "--ready"], cwd: runtime.folder })).code !== 0);
    assert.equal((await runtime.stop()).code, 0);
  });
});

describe("Control", () => {
  test(
    "in a folder that may not be written is one warning, or an error where it is named",
    { skip: asRoot },
    async () => {
      const folder = folderOfAnother();
      mkdirSync(join(folder, "data"), { mode: 0o555 });
      const run = async (yaml: string) => {
        writeFileSync(join(folder, "runtime.yaml"), yaml);
        return await haraka({ prefix: AS_ANOTHER, program: [join(folder, "haraka")], cwd: folder });
      };
      const services = `http: false\nservices: { app: { kind: task, command: ["true"] } }`;
      const byDefault = await run(services);
      assert.equal(byDefault.code, 0);
      assert.match(
        byDefault.stdout,
        /"level":"warn".*cannot open the control socket .*uid 54321.*going on without it/,
      );
      const named = await run(`control: { socket: haraka.sock }\n${services}`);
      assert.equal(named.code, 1);
      assert.match(named.stderr, /^haraka: cannot open the control socket .*uid 54321/);
    },
  );

  test("with a path that is too long is refused with its place", async () => {
    const yaml = `control: { socket: ${"x".repeat(200)} }\nservices: { app: { command: ["true"] } }`;
    const { code, stdout, stderr } = await haraka({ files: { "runtime.yaml": yaml } });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^runtime\.yaml:1:\d+ control\.socket: .*bytes/);
  });

  test("lives through garbage, and through who goes in the middle of a word", async () => {
    await using runtime = await start({
      files: { "runtime.yaml": `services: { app: { command: [sleep, "1000"] } }` },
    }).started();
    const socket = join(runtime.folder, "data/haraka.sock");
    const words = [
      "\0\x01\x02\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "POST /api/v1/runtime/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{",
    ];
    for (const word of words) {
      const connection = connect({ path: socket });
      connection.on("error", () => {});
      connection.end(word);
      await new Promise((resolve) => connection.resume().once("close", resolve));
    }
    for (const body of ["{", "[]", "null", '{"reason":7}', "x".repeat(100)]) {
      const { status } = await askSocket(socket, { method: "POST", path: "/api/v1/runtime/shutdown", body });
      assert.ok(status >= 400 && status < 500, `${status} for ${body}`);
    }
    for (const path of [
      "/api/v1/services/%00",
      "/api/v1/services/..%2f..",
      "/api/v1/services/app/logs?tail=-1",
    ]) {
      const { status } = await askSocket(socket, { method: "GET", path });
      assert.ok(status >= 400 && status < 500, `${status} for ${path}`);
    }
    assert.equal((await runtime.get("/health/ready")).status, 200);
    assert.ok(readdirSync(`/proc/${runtime.pid}/fd`).length < 100);
    assert.equal((await runtime.stop()).code, 0);
  });
});
