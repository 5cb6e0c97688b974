// The way down: the drain, requests in flight, what overruns its time, and what that does to the exit code.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import test from "node:test";
import { isRunning, start } from "./support/runtime.ts";

const IDLE = 'command: [sleep, "1000"]';
const STUBBORN = `command: [sh, -c, "trap '' TERM; sleep 1000 & echo up $!; wait; wait"], startup: { logPattern: "^up" }`;

/** Answers `/` at once and `/wait` when SIGUSR1 comes. */
const WEB =
  `
import { once } from "node:events";
export default {
  routes(app) {
    app.get("/", (c) => c.text("here"));
    app.get("/wait", async (c) => {
      const signalled = once(process, "SIGUSR1");
      this.runtime.log.info("a request waits");
      await signalled;
      return c.text("waited");
    });
  },
};`
    .replaceAll("this.runtime", "self.runtime")
    .replace("export default {", "const self = {") + "\nexport default self;";

test("a drain is 503 for readiness, 200 for liveness, and serves on with Connection: close", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": "runtime: { shutdown: { drain: 500ms } }\nservices: { web: { entrypoint: ./web.ts } }",
      "web.ts": WEB,
    },
  });
  await runtime.started();
  const before = await runtime.get("/");
  assert.equal(before.headers.get("connection"), null);
  runtime.signal("SIGTERM");
  const ready = await runtime.until("/health/ready", 503);
  assert.match(await ready.text(), /"service":"runtime","reason":"is shutting down"/);
  assert.equal((await runtime.get("/health/live")).status, 200);
  const during = await runtime.get("/");
  assert.deepEqual(
    [during.status, await during.text(), during.headers.get("connection")],
    [200, "here", "close"],
  );
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("a request in flight at SIGTERM finishes, and a new one gets 503 with Connection: close", async () => {
  await using runtime = start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": WEB },
  });
  await runtime.started();
  const waiting = runtime.get("/wait");
  await runtime.record("web", "a request waits");
  runtime.signal("SIGTERM");
  const refused = await runtime.until("/", 503);
  assert.equal(refused.headers.get("connection"), "close");
  assert.equal((await runtime.get("/health/live")).status, 200);
  runtime.signal("SIGUSR1");
  const answer = await waiting;
  assert.deepEqual([answer.status, await answer.text()], [200, "waited"]);
  assert.equal((await runtime.ended).code, 0);
});

test("a silent connection does not hold up the stop", async () => {
  await using runtime = start({ files: { "runtime.yaml": `services: { app: { ${IDLE} } }` } });
  await runtime.started();
  const socket = connect(Number(new URL(await runtime.url()).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  assert.equal((await runtime.stop()).code, 0);
  socket.destroy();
});

test("a process that ignores its stop signal is killed with its group at its stopTimeout and named", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  stubborn: { ${STUBBORN}, stopTimeout: 200ms }
  other: { ${IDLE} }
`,
    },
  });
  await runtime.started();
  const { message } = await runtime.record("stubborn", /^up /);
  const child = Number(String(message).split(" ")[1]);
  assert.ok(isRunning(child));
  const { code, stdout } = await runtime.stop();
  assert.equal(code, 0);
  assert.match(stdout, /"message":"late: stubborn \(SIGKILL after 0\.2s\)"/);
  assert.ok(!isRunning(child));
  assert.deepEqual(runtime.whoBecame("stopped").toSorted(), ["other", "stubborn"]);
});

test("a shutdown that uses up its budget kills the rest and ends with 124", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
runtime: { shutdown: { budget: 500ms } }
services: { stubborn: { ${STUBBORN}, stopTimeout: 60s } }
`,
    },
  });
  await runtime.started();
  const { pid = 0 } = await runtime.record("stubborn", "ready");
  const { code, stdout } = await runtime.stop();
  assert.equal(code, 124);
  assert.match(stdout, /"message":"late: stubborn \(SIGKILL after 0\.\ds\)"/);
  assert.ok(!isRunning(pid));
});

test("a module whose shutdown hangs is abandoned and named, and the others still stop", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  db: { ${IDLE} }
  hanging: { entrypoint: ./hanging.ts, stopTimeout: 100ms, dependencies: [db] }
`,
      "hanging.ts": "export default { shutdown: () => new Promise(() => {}) };",
    },
  });
  await runtime.started();
  const { code, stdout } = await runtime.stop();
  assert.equal(code, 1);
  assert.match(stdout, /"message":"late: hanging \(abandoned after 0\.1s\)"/);
  assert.match(
    stdout,
    /"service":"hanging".*abandoned in shutdown\(\): code in this process cannot be killed/,
  );
  assert.deepEqual(runtime.whoBecame("stopped"), ["db"]);
});

test("a module whose shutdown throws is an exit with 1, and the others still stop", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  db: { ${IDLE} }
  clumsy: { entrypoint: ./clumsy.ts, dependencies: [db] }
`,
      "clumsy.ts": 'export default { shutdown() { throw new Error("no way out"); } };',
    },
  });
  await runtime.started();
  const { code } = await runtime.stop();
  assert.equal(code, 1);
  assert.deepEqual(runtime.messages("clumsy"), ["ready", "failed: shutdown() failed: no way out"]);
  assert.deepEqual(runtime.whoBecame("stopped"), ["db"]);
});
