// What breaks for the users of other supervisors, and does not here; each test is one complaint, with the peer it is made of. What
// other tests show already stands in the table, and is not shown twice.
//
// | peer            | complaint                                   | shown by                                                     |
// | --------------- | ------------------------------------------- | ------------------------------------------------------------ |
// | process-compose | needs bash, also for an argument list       | "no shell …" below                                           |
// |                 | reaps no orphans                            | orphans.test.ts "PID 1 waits for 5,000 orphans …", and as an |
// |                 |                                             | ordinary process                                             |
// |                 | no SIGKILL unless a timeout is set          | "what ignores its stop signal …" below                       |
// |                 | ordered shutdown is off by default          | boot.test.ts "services start in the order …"                 |
// |                 | probes in whole seconds                     | "a probe asks many times a second" below                     |
// |                 | no TCP probe                                | "a port that is open …" below                                |
// |                 | backoff is constant, a second or more       | "a restart takes a fraction of a second …" below             |
// |                 | drops a last line without newline           | processes.test.ts "output is JSON lines …"                   |
// | pebble          | order waits a second, never for readiness   | "who depends on a service waits until it is ready …" below   |
// |                 | healthy before the first check              | "nothing is healthy before …" below                          |
// |                 | SIGTERM only                                | signals.test.ts "stopSignal is the signal …"                 |
// | s6-overlay      | needs a shell                               | "no shell …" below, container.test.ts                        |
// |                 | needs to be PID 1                           | every test here; orphans.test.ts "an ordinary process …"     |
// |                 | hard to run non-root on a read-only root    | container.test.ts "container boots read-only …"              |
// |                 | sleeps the whole grace at stop              | "a stop takes as long as the services need …" below          |
// |                 | exit codes by hand-written scripts          | exits.test.ts "a critical process that ends with …",         |
// |                 |                                             | "exitCodeFrom makes …"                                       |
// | supervisord     | no dependencies                             | boot.test.ts "services start in the order …"                 |
// |                 | exit code always 0                          | exits.test.ts, as above                                      |
// |                 | polls once a second                         | "an end is acted upon at once" below                         |
// |                 | no prefix before log lines                  | processes.test.ts "log.format: pretty …"                     |
// |                 | orphans survive                             | orphans.test.ts "… leaves nothing of its services behind"    |
// | Docker Compose  | `up --wait` fails when one-shots succeed    | "one-shots that succeed …" below                             |
// |                 | restart ignores dependencies                | "a restart waits for what the service needs" below           |
// |                 | needs a shell in the image for checks       | "no shell …" below                                           |
// | dinit           | a text file per service                     | every test here: one YAML                                    |
// |                 | no HTTP                                     | boot.test.ts "readiness is 503 and names …"                  |
// |                 | no probes                                   | probes.test.ts                                               |
// | in-process      | serial start, or no order                   | "modules start side by side …" below                         |
// |                 | ready, or not live, while draining          | shutdown.test.ts "a drain is 503 for readiness …"            |
// |                 | a second signal does not force              | signals.test.ts "a second signal later than 100 ms …"        |
// |                 | no drain delay                              | shutdown.test.ts "a prober is waited for …"                  |
// |                 | exit 0 after a fault                        | modules.test.ts "an error that nobody catches …",            |
// |                 |                                             | exits.test.ts "a failing task rolls back …"                  |
// | DBOS, Restate,  | a server or a database beside the app       | durable.test.ts "a saga that a crash …"                      |
// | Temporal,       | no compensation                             | durable.test.ts "a saga that a crash …"                      |
// | BullMQ          | no fencing                                  | durable.test.ts "two runtimes never …"                       |
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { askSocket } from "../http/control-rig.ts";
import { freePort } from "./support/ports.ts";
import { haraka, isRunning, type Runtime, start } from "./support/runtime.ts";

const IDLE = 'command: [sleep, "1000"]';
/** Says so after ten seconds: what a machine under load does in time, and a poll once a second does not. */
const TEN_SECONDS =
  'ten-seconds: { command: [sh, -c, "sleep 10; echo over; exec sleep 1000"], critical: false }';
const isOver = (runtime: Runtime): boolean => runtime.messages("ten-seconds").includes("over");

/** Takes every shell away, then runs the rest, in a mount namespace of its own. */
const WITHOUT_SHELL = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'for name in sh dash bash; do [ ! -e "/bin/$name" ] || mount --bind /dev/null "/bin/$name"; done; exec "$@"',
  "sh",
];
const needsMounts =
  process.platform === "linux" && process.getuid?.() === 0 ? false : "mount namespaces need Linux and root";

interface Service {
  name: string;
  state: string;
  blockedBy?: { service: string }[];
}

/** What control says of one service. */
async function lookAt(runtime: Runtime, name: string): Promise<Service> {
  const socket = join(runtime.folder, "data/haraka.sock");
  return JSON.parse((await askSocket(socket, { method: "GET", path: `/api/v1/services/${name}` })).text);
}

describe("process-compose, s6-overlay, Compose:", () => {
  test(
    "no shell is needed, for an argument list, a text, a task or a check",
    { skip: needsMounts },
    async () => {
      const yaml = `
services:
  list: { command: [sleep, "1000"], readiness: { exec: [test, -e, runtime.yaml], interval: 100ms } }
  text: { command: "printf '%s\\n' 'a b' c", kind: task }
  needy: { command: "sleep 1000", dependencies: [list, text], liveness: { exec: "test -e runtime.yaml", interval: 100ms } }
  shell: { command: "echo never", shell: true, critical: false }
`;
      await using runtime = start({ prefix: WITHOUT_SHELL, files: { "runtime.yaml": yaml } });
      await runtime.started();
      await runtime.until("/health/ready", 200);
      assert.deepEqual(runtime.messages("text", "stdout"), ["a b", "c"]);
      assert.match(String(runtime.messages("shell")), /^failed: .*"\/bin\/sh"/);
      assert.equal((await runtime.stop()).code, 0);
    },
  );
});

describe("process-compose:", () => {
  test("what ignores its stop signal is killed though no timeout is set", async () => {
    const stubborn = `command: [sh, -c, "trap '' TERM; sleep 1000 & echo up; wait; wait"], startup: { log: up }`;
    await using runtime = start({ files: { "runtime.yaml": `services: { stubborn: { ${stubborn} } }` } });
    const { pid = 0 } = await runtime.record("stubborn", "ready");
    await runtime.started();
    const { code, stdout } = await runtime.stop();
    assert.equal(code, 0);
    assert.match(stdout, /"message":"late: stubborn \(SIGKILL after \d\.\ds\)"/);
    assert.ok(!isRunning(pid));
  });

  test("a probe asks many times a second", async () => {
    const yaml = `
services:
  app: { ${IDLE}, readiness: { exec: [sh, -c, "echo >> asked"], interval: 10ms } }
  ${TEN_SECONDS}
`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.record("app", "ready");
    const asked = (): number => readFileSync(join(runtime.folder, "asked")).length;
    while (asked() < 30) await runtime.get("/health/live");
    assert.ok(!isOver(runtime), "as often as a probe once a second would in half a minute");
  });

  test("a port that is open makes ready, and one that is closed again unready", async () => {
    const port = await freePort();
    const serve = `
      require("node:fs").writeFileSync("pid", String(process.pid));
      let server;
      process.on("SIGUSR1", () => (server = require("node:net").createServer((socket) => socket.end()).listen(${port}, "127.0.0.1")));
      process.on("SIGUSR2", () => server.close());
      console.log("up");
      setInterval(() => {}, 1000);`;
    const app = {
      command: [process.execPath, "-e", serve],
      startup: { log: "up" },
      readiness: { tcp: `127.0.0.1:${port}`, interval: "20ms", failureThreshold: 1 },
    };
    await using runtime = start({ files: { "runtime.yaml": JSON.stringify({ services: { app } }) } });
    await runtime.record("app", "up");
    const pid = Number(readFileSync(join(runtime.folder, "pid"), "utf8"));
    assert.equal((await runtime.get("/health/ready")).status, 503);
    process.kill(pid, "SIGUSR1");
    await runtime.record("app", "ready");
    process.kill(pid, "SIGUSR2");
    await runtime.record("app", /^unready/);
    assert.match(
      await (await runtime.until("/health/ready", 503)).text(),
      new RegExp(`127\\.0\\.0\\.1:${port}`),
    );
    assert.equal((await runtime.stop()).code, 0);
  });

  test("a restart takes a fraction of a second, the twentieth too", async () => {
    const restart = "{ policy: always, backoff: 10ms..20ms, limit: 1000/1m }";
    const yaml = `
services:
  app: { command: [sh, -c, "echo >> lives; exit 1"], restart: ${restart}, critical: false }
  ${TEN_SECONDS}
`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.started();
    const lives = (): number => readFileSync(join(runtime.folder, "lives")).length;
    while (lives() < 20) await runtime.get("/health/live");
    assert.ok(!isOver(runtime), "as often as a backoff of a second would in twenty");
  });
});

describe("pebble:", () => {
  test("who depends on a service waits until it is ready, however long that takes", async () => {
    const yaml = `
services:
  db: { ${IDLE}, readiness: { exec: [test, -e, go], interval: 20ms } }
  api: { command: [sh, -c, "echo up; exec sleep 1000"], dependencies: [db] }
  late: { kind: task, command: [sh, -c, "sleep 1.5; echo later than a second"] }
`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.record("late", "later than a second");
    const { state, blockedBy } = await lookAt(runtime, "api");
    assert.deepEqual([state, blockedBy?.map(({ service }) => service)], ["pending", ["db"]]);
    runtime.write("go", "");
    await runtime.started();
    await runtime.record("api", "up");
    const order = runtime.records.map(({ service, message }) => `${service} ${String(message)}`);
    assert.ok(order.indexOf("db ready") < order.indexOf("api up"), order.join("\n"));
  });

  test("nothing is healthy before its first check has passed", async () => {
    const yaml = `
services:
  app: { ${IDLE}, readiness: { exec: [sh, -c, "echo > asked; until [ -e go ]; do sleep 0.01; done"], timeout: 60s } }
`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.url();
    const component = async (): Promise<string | undefined> => {
      const answer = (await (await runtime.get("/health")).json()) as {
        components: Record<string, { status: string }>;
      };
      return answer.components["app"]?.status;
    };
    while ((await lookAt(runtime, "app")).state !== "started");
    // The first check is under way, and says neither yes nor no.
    assert.notEqual(await component(), "healthy");
    assert.equal((await runtime.get("/health/ready")).status, 503);
    assert.deepEqual(runtime.whoBecame("ready"), []);
    runtime.write("go", "");
    await runtime.until("/health/ready", 200);
    assert.equal(await component(), "healthy");
  });
});

describe("s6-overlay:", () => {
  test("a stop takes as long as the services need, not as long as they may", async () => {
    const yaml = `
runtime: { shutdown: { budget: 10m } }
services:
  db: { ${IDLE}, stopTimeout: 5m }
  api: { ${IDLE}, stopTimeout: 5m, dependencies: [db] }
`;
    await using runtime = start({ files: { "runtime.yaml": yaml } });
    await runtime.started();
    // A run that takes more than 20 seconds is killed, and has no exit code.
    assert.equal((await runtime.stop()).code, 0);
    assert.deepEqual(runtime.whoBecame("stopped"), ["api", "db"]);
  });
});

describe("supervisord:", () => {
  test("an end is acted upon at once", async () => {
    const chain = Array.from({ length: 30 }, (_, index) => {
      const dependencies = index === 0 ? "" : `, dependencies: [task-${index - 1}]`;
      return `  task-${index}: { kind: task, command: ["true"]${dependencies} }`;
    });
    const files = { "runtime.yaml": `services:\n${chain.join("\n")}\n  ${TEN_SECONDS}\n` };
    await using runtime = start({ files });
    await runtime.record("task-29", "completed");
    assert.ok(
      !isOver(runtime),
      "thirty ends, one after the other, which a poll once a second sees in thirty seconds",
    );
  });
});

describe("Compose:", () => {
  test("one-shots that succeed are no reason not to become ready", async () => {
    const yaml = `
http: { port: "\${PORT}" }
services:
  migrate: { kind: task, command: ["true"] }
  api: { ${IDLE}, dependencies: [migrate] }
  seed: { kind: task, command: ["true"], dependencies: [api] }
`;
    await using runtime = start({ args: ["up"], files: { "runtime.yaml": yaml } });
    await runtime.started();
    assert.deepEqual(runtime.whoBecame("completed"), ["migrate", "seed"]);
    assert.equal((await runtime.get("/health/ready")).status, 200);
    const check = await haraka({ args: ["health", "--ready"], cwd: runtime.folder });
    assert.deepEqual([check.code, check.stdout], [0, "ready\n"]);
    assert.equal((await runtime.stop()).code, 0);
  });

  test("a restart waits for what the service needs", async () => {
    const yaml = `
services:
  db: { ${IDLE}, readiness: { exec: [test, -e, go], interval: 20ms, failureThreshold: 1 } }
  api: { command: [sh, -c, "echo up $$$$; exec sleep 1000"], dependencies: [db], restart: always }
`;
    await using runtime = start({ files: { "runtime.yaml": yaml, go: "" } });
    const { pid = 0 } = await runtime.record("api", "ready");
    await runtime.started();
    rmSync(join(runtime.folder, "go"));
    await runtime.record("db", /^unready/);
    process.kill(pid, "SIGKILL");
    let seen: Service;
    do seen = await lookAt(runtime, "api");
    while (seen.blockedBy?.[0]?.service !== "db");
    assert.equal(runtime.messages("api", "stdout").length, 1);
    runtime.write("go", "");
    await runtime.record("api", new RegExp(`^up (?!${pid}$)\\d+$`));
    const order = runtime.records.map(
      ({ service, message }) => `${service} ${String(message).split(" ")[0]}`,
    );
    assert.ok(order.lastIndexOf("db ready") < order.lastIndexOf("api up"), order.join("\n"));
  });
});

describe("Libraries for the lifecycle in a process:", () => {
  test("modules start side by side where nothing orders them, and in order where something does", async () => {
    // Each waits for the other to have begun: one after the other they would never start.
    const meet = (name: string): string => `
globalThis.meeting ??= { begun: [], all: Promise.withResolvers() };
export default {
  async startup() {
    const { begun, all } = globalThis.meeting;
    if (begun.push("${name}") === 2) all.resolve();
    await all.promise;
    globalThis.up = (globalThis.up ?? 0) + 1;
  },
};`;
    const files = {
      "runtime.yaml": `
http: false
services:
  left: { entrypoint: ./left.ts }
  right: { entrypoint: ./right.ts }
  top: { entrypoint: ./top.ts, dependencies: [left, right], priority: 10 }
`,
      "left.ts": meet("left"),
      "right.ts": meet("right"),
      "top.ts": `export default { startup() { this.runtime.log.info(globalThis.up + " are up"); } };`,
    };
    await using runtime = start({ files });
    await runtime.started();
    assert.deepEqual(runtime.messages("top"), ["2 are up", "ready"]);
    assert.equal((await runtime.stop()).code, 0);
    assert.equal(runtime.whoBecame("stopped")[0], "top");
  });
});
