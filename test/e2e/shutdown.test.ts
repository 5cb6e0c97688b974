// The way down: the drain, requests in flight, what overruns its time, and what that does to the exit code.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import test from "node:test";
import { haraka, isRunning, start } from "./support/runtime.ts";

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

/** An event stream at `/events` and a WebSocket at `/socket`. */
const STREAMS = `
import { upgradeWebSocket } from "haraka-runtime";
export default {
  routes(app) {
    app.get("/socket", upgradeWebSocket(() => ({ onMessage: ({ data }, socket) => socket.send("got " + data) })));
    app.get("/events", () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("data: first\\n\\n")),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
  },
};`;

test("event streams get a last event with retry and WebSockets get 1001, and neither holds up the stop", async () => {
  await using runtime = start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": STREAMS },
  });
  await runtime.started();
  const events = await runtime.get("/events");
  const socket = new WebSocket(`${(await runtime.url()).replace("http", "ws")}/socket`);
  await once(socket, "open");
  socket.send("it");
  assert.equal(((await once(socket, "message")) as [MessageEvent])[0].data, "got it");
  const closed = once(socket, "close") as Promise<[CloseEvent]>;
  runtime.signal("SIGTERM");
  assert.equal(await events.text(), "data: first\n\nretry: 1000\n\n");
  const [{ code, reason }] = await closed;
  assert.deepEqual([code, reason], [1001, "going away"]);
  const { code: exitCode, stdout } = await runtime.ended;
  assert.equal(exitCode, 0);
  assert.doesNotMatch(stdout, /"late: /);
});

test("a prober is waited for until it has seen 503, and requests are served meanwhile", async () => {
  await using runtime = start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": WEB },
  });
  await runtime.started();
  const checks: number[] = [];
  // As a proxy does: at its own pace, whatever comes.
  const prober = setInterval(() => {
    runtime.get("/health/ready").then(
      ({ status }) => checks.push(status),
      () => checks.push(0),
    );
  }, 100);
  try {
    while (checks.length < 4) await runtime.until("/", 200);
    runtime.signal("SIGTERM");
    const { message } = await runtime.record("haraka", /^draining/);
    assert.match(String(message), /at most 4500ms: 127\.0\.0\.1 every \d+ms$/);
    assert.equal((await runtime.get("/")).status, 200);
    assert.equal((await runtime.ended).code, 0);
  } finally {
    clearInterval(prober);
  }
  assert.ok(checks.includes(503), "it has been told");
});

test("the image's HEALTHCHECK is no prober", async () => {
  await using runtime = start({
    files: { "runtime.yaml": "services: { web: { entrypoint: ./web.ts } }", "web.ts": WEB },
  });
  await runtime.started();
  const { port } = new URL(await runtime.url());
  for (let count = 0; count < 3; count++) {
    const check = await haraka({ args: ["health", "--ready"], cwd: runtime.folder, env: { PORT: port } });
    assert.deepEqual([check.code, check.stdout], [0, "ready\n"]);
  }
  const { code, stdout } = await runtime.stop();
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /draining/);
});

test("a request that is later than the budget allows is cut and named", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": "runtime: { shutdown: { budget: 1s } }\nservices: { web: { entrypoint: ./web.ts } }",
      "web.ts": WEB,
    },
  });
  await runtime.started();
  const waiting = assert.rejects(runtime.get("/wait?token=secret"));
  await runtime.record("web", "a request waits");
  const { code, stdout } = await runtime.stop();
  await waiting;
  assert.equal(code, 0);
  assert.match(stdout, /"message":"late: GET \/wait \(\d\.\ds\)"/);
  assert.doesNotMatch(stdout, /secret/);
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
  assert.match(stdout, /"message":"late: hanging \(abandoned after \d\.\ds\)"/);
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
  const { code, stderr } = await runtime.stop();
  assert.equal(code, 1);
  assert.equal(stderr, "haraka: stopping on SIGTERM; 'clumsy': shutdown() failed: no way out\n");
  const [ready, stack, failed] = runtime.messages("clumsy");
  assert.deepEqual([ready, failed], ["ready", "failed: shutdown() failed: no way out"]);
  assert.match(String(stack), /^Error: no way out\n +at .*clumsy\.ts:1:/);
  assert.deepEqual(runtime.whoBecame("stopped"), ["db"]);
});
