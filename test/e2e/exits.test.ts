// How the runtime ends when a service does: what exit code it leaves with, what it says about the cause, and what is stopped
// on the way out.
import assert from "node:assert/strict";
import test from "node:test";
import { takenPort } from "./support/ports.ts";
import { haraka, start } from "./support/runtime.ts";

const IDLE = 'command: [sleep, "1000"]';

/** Runs a config to its end. */
function run(config: string): ReturnType<typeof haraka> {
  return haraka({ files: { "runtime.yaml": config } });
}

test("a failing task rolls back what had started and exits with 1", async () => {
  const { code, stdout, stderr } = await run(`
services:
  db: { ${IDLE} }
  migrate: { kind: task, command: [sh, -c, "exit 3"], dependencies: [db] }
  api: { ${IDLE}, dependencies: [migrate] }
`);
  assert.equal(code, 1);
  assert.equal(stderr, "haraka: cannot start 'migrate': ended with 3\n");
  assert.match(stdout, /"service":"db","stream":"runtime","message":"stopped"/);
  assert.doesNotMatch(stdout, /"service":"api","stream":"runtime","message":"ready"/);
});

test("a rollback names the first cause, not what follows from it", async () => {
  const { code, stderr } = await run(`
services:
  db: { command: [sh, -c, "trap 'exit 9' TERM; echo up; while :; do sleep 0.01; done"], startup: { log: up } }
  broken: { kind: task, command: ["false"], dependencies: [db] }
  needy: { ${IDLE}, dependencies: [broken] }
`);
  assert.equal(code, 1);
  assert.equal(stderr, "haraka: cannot start 'broken': ended with 1\n");
});

for (const [how, script, code, reason] of [
  ["code 7", "exit 7", 7, "ended with 7"],
  ["SIGKILL", "kill -KILL $$$$", 137, "was ended by SIGKILL"],
  ["SIGTERM", "kill $$$$", 143, "was ended by SIGTERM"],
] as const) {
  test(`a critical process that ends with ${how} makes the exit code ${code}`, async () => {
    const outcome = await run(`
services:
  other: { ${IDLE} }
  app: { command: [sh, -c, "${script}"], dependencies: [other] }
`);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.equal(outcome.stderr, `haraka: 'app' ${reason} and is critical: stopping\n`);
    assert.match(outcome.stdout, /"service":"other","stream":"runtime","message":"stopped"/);
  });
}

test("a critical process that ends with 0 stops the runtime with 0 and says what to write instead", async () => {
  const { code, stderr } = await run(`
services:
  other: { ${IDLE} }
  worker: { command: ["true"] }
`);
  assert.equal(code, 0);
  assert.equal(
    stderr,
    "haraka: `worker` ended with 0 and is critical: stopping. If it should end: `kind: task`; if others may go on: `critical: false`\n",
  );
});

test("critical: false lets the others go on, degraded", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  app: { ${IDLE} }
  helper: { command: [sh, -c, "exit 3"], critical: false }
  absent: { command: [no-such-program], critical: false }
`,
    },
  });
  await runtime.started();
  await runtime.record("helper", /^failed/);
  assert.equal((await runtime.get("/health/ready")).status, 200);
  const health = await runtime.get("/health");
  const { status, components } = (await health.json()) as {
    status: string;
    components: Record<string, { status: string; reason?: string }>;
  };
  assert.deepEqual([health.status, status], [200, "degraded"]);
  assert.equal(components["helper"]?.status, "degraded");
  assert.equal(components["helper"]?.reason, "ended with 3");
  assert.match(components["absent"]?.reason ?? "", /command "no-such-program" not found/);
  assert.equal((await runtime.stop()).code, 0);
});

test("onFailure: continue comes up degraded and says which service is missing", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
runtime: { startup: { onFailure: continue } }
services:
  app: { ${IDLE} }
  broken: { kind: task, command: ["false"] }
  needy: { ${IDLE}, dependencies: [broken] }
`,
    },
  });
  await runtime.started();
  assert.deepEqual(runtime.messages("broken"), ["failed: ended with 1"]);
  assert.deepEqual(runtime.messages("needy"), ["skipped: needs 'broken', which failed"]);
  assert.equal((await runtime.get("/health/ready")).status, 200);
  assert.equal(((await (await runtime.get("/health")).json()) as { status: string }).status, "degraded");
  assert.equal((await runtime.stop()).code, 0);
});

test("a service that does not start within its startTimeout is a failed start", async () => {
  const { code, stderr } = await run(`
services:
  db: { ${IDLE} }
  app: { ${IDLE}, startup: { log: never }, startTimeout: 100ms, dependencies: [db] }
`);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    "haraka: cannot start 'app': did not pass its startup probe within its startTimeout of 100ms\n",
  );
});

test("a start that takes longer than runtime.startup.timeout fails and names who was late", async () => {
  const { code, stderr } = await run(`
runtime: { startup: { timeout: 100ms } }
services: { app: { kind: task, ${IDLE} } }
`);
  assert.equal(code, 1);
  assert.equal(stderr, "haraka: cannot start 'app': was not up within runtime.startup.timeout of 100ms\n");
});

test("exitCodeFrom makes the exit code that of the named service", async () => {
  const { code } = await run(`
runtime: { exitCodeFrom: suite }
services:
  suite: { command: [sh, -c, "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"], startup: { log: up } }
  app: { command: "true", dependencies: [suite] }
`);
  assert.equal(code, 5);
});

test("a command that is not found is named with the PATH that was searched", async () => {
  const { code, stderr } = await run(
    `services: { app: { command: [no-such-program], environment: { PATH: "/a:/b" } } }`,
  );
  assert.equal(code, 1);
  assert.equal(stderr, "haraka: cannot start 'app': command \"no-such-program\" not found in PATH (/a:/b)\n");
});

test("a port in use is an exit with 1 that names its holder and starts nothing", async () => {
  const { port, server } = await takenPort();
  try {
    const { code, stdout, stderr } = await run(`
http: { host: 127.0.0.1, port: ${port} }
services: { app: { command: "touch started", cwd: . } }
`);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^haraka: cannot open port ${port} on 127\\.0\\.0\\.1: it is in use`));
    if (process.platform === "linux") assert.ok(stderr.includes(` by pid ${process.pid} (`), stderr);
    assert.match(stderr, /set http\.port \(or PORT\) to another\n$/);
    assert.equal(stdout, "");
  } finally {
    server.close();
  }
});
