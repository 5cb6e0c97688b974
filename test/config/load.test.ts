// What a config can have wrong around its services, and what it means where it is right.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

/** A config and what is said about it, with its place in the file. */
const ROOT: [yaml: string, ...problems: string[]][] = [
  ["[]", "1:1 expected a map with `services:`, got a list"],
  ["text", "1:1 expected a map with `services:`, got a single value"],
  ["services:", "1:1 services: expected a map, got nothing"],
  [
    "services: {}",
    "1:1 services: there is none: add one, as `services: { hello: { command: [echo, hello] } }`",
  ],
  ["services: { 0: { command: x } }", `1:13 services.0: cannot name a service "0": ${nameRule()}`],
  ["services: { Api: { command: x } }", `1:13 services.Api: cannot name a service "Api": ${nameRule()}`],
  ["services: { a/b: { command: x } }", `1:13 services.a/b: cannot name a service "a/b": ${nameRule()}`],
  [
    `services: { ${"a".repeat(64)}: { command: x } }`,
    `1:13 services.${"a".repeat(64)}: cannot name a service "${"a".repeat(64)}": ${nameRule()}`,
  ],
  ["services: { __proto__: { command: x } }", '1:13 services.__proto__: "__proto__" cannot be a key'],
  ...(
    [
      ["http: true", "1:7 http: expected `false` or a map, got true"],
      ["http: 8080", "1:7 http: expected `false` or a map, got 8080"],
      ["http:", "1:1 http: expected `false` or a map, got nothing"],
      ["http: { prot: 1 }", '1:9 http.prot: unknown key "prot"; did you mean "port"?'],
      ["http: { port: 65536 }", "1:15 http.port: expected at most 65535, got 65536"],
      ["http: { port: -1 }", "1:15 http.port: expected at least 0, got -1"],
      ["http: { port: '' }", '1:15 http.port: expected a number, got ""'],
      ["http: { host: '' }", '1:15 http.host: expected it not to be empty, got ""'],
      [
        "http: { idleTimeout: 256s }",
        '1:22 http.idleTimeout: expected at most 255s, the most that Bun\'s server can wait, got "256s"',
      ],
      ["runtime:", "1:1 runtime: expected a map, got nothing"],
      ["runtime: { name: '' }", '1:18 runtime.name: expected it not to be empty, got ""'],
      [
        "runtime: { startup: { concurrency: 0, onFailure: stop } }",
        "1:36 runtime.startup.concurrency: expected at least 1, got 0",
        '1:50 runtime.startup.onFailure: expected `rollback` or `continue`, got "stop"',
      ],
      [
        "runtime: { shutdown: { budget: 10 } }",
        "1:32 runtime.shutdown.budget: expected `auto` or a duration such as 250ms, 5s, 2m or 1h, got 10 without a unit: write 10s or 10ms",
      ],
      [
        "runtime: { log: { format: text } }",
        '1:27 runtime.log.format: expected `auto` or `pretty` or `json`, got "text"',
      ],
      [
        "runtime: { exitCodeFrom: aa }",
        '1:26 runtime.exitCodeFrom: cannot take the exit code from "aa": there is no such service; did you mean "a"?',
      ],
      ["include: x", '1:10 include: expected a list, got "x"'],
      ["include: [5]", "1:11 include[0]: expected text, got 5"],
      [
        "name: x",
        '1:1 name: unknown key "name"; known are include, runtime, http, control, store, plane, discovery, intents, services',
      ],
    ] satisfies [string, ...string[]][]
  ).map(([line, ...problems]): [string, ...string[]] => [
    `${line}\nservices: { a: { command: x } }`,
    ...problems,
  ]),
];

function nameRule(): string {
  return "a name starts with a letter and has up to 63 lower-case letters, digits, `.`, `_` and `-`";
}

for (const [yaml, ...problems] of ROOT) {
  test(`loadConfig refuses ${JSON.stringify(yaml)}`, () => {
    assert.deepEqual(
      problemsOf(yaml),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}

test("loadConfig reports all problems at once, in the order of the file, whatever finds them", () => {
  const yaml = `runtime: { exitCodeFrom: nobody }
services:
  a:
    command: "x | y"
    priority: "\${NONE}"
    stopTimeout: soon
    comand: [x]
    dependencies: { b: ready, c: ready }
  b: { kind: task, entrypoint: ./b.ts, cwd: . }
http: { port: many }
`;
  const [pipe] = problemsOf(yaml).filter((line) => line.includes("without a shell"));
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:1:26 runtime.exitCodeFrom: cannot take the exit code from "nobody": there is no such service',
    pipe,
    'runtime.yaml:5:15 services.a.priority: cannot resolve "${NONE}": the variable is not set; set it, or write ${NONE:-default}',
    'runtime.yaml:6:18 services.a.stopTimeout: expected a duration such as 250ms, 5s, 2m or 1h, got "soon"',
    'runtime.yaml:7:5 services.a.comand: unknown key "comand"; did you mean "command"?',
    'runtime.yaml:8:24 services.a.dependencies.b: "b" is a task and never `ready`: use `completed`',
    "runtime.yaml:8:31 services.a.dependencies.c: Unknown dependency 'c' for service 'a'",
    "runtime.yaml:9:40 services.b.cwd: `cwd` is for processes; a module shares this process",
    'runtime.yaml:10:15 http.port: expected a number, got "many"',
  ]);
  assert.match(pipe ?? "", /^runtime\.yaml:4:14 services\.a\.command: /);
});

test("loadConfig says where a value came from that does not fit", () => {
  const yaml =
    'http: { port: "${PORT}" }\nservices: { a: { command: [x], kind: "${KIND:-tsk}", priority: "${E}" } }';
  assert.deepEqual(problemsOf({ files: { "runtime.yaml": yaml }, env: { PORT: "x81", E: "" } }), [
    'runtime.yaml:1:15 http.port: expected a number, got "x81" (from ${PORT})',
    'runtime.yaml:2:38 services.a.kind: expected `task`, got "tsk"; did you mean "task"? (from ${KIND:-tsk})',
    'runtime.yaml:2:64 services.a.priority: expected a number, got "" (from ${E})',
  ]);
});

test("loadConfig reports at an alias what is wrong where it leads", () => {
  const yaml = "services:\n  a: &a { command: [x], priority: bad }\n  b: *a\n  c: { <<: *a }\n";
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:2:35 services.a.priority: expected a number, got "bad"',
    'runtime.yaml:2:35 services.b.priority: expected a number, got "bad"',
    'runtime.yaml:4:6 services.c.priority: expected a number, got "bad"',
  ]);
});

test("loadConfig fills in every default", () => {
  const { position, ...service } = serviceOf("services: { a: { command: [x] } }");
  assert.deepEqual(position, { file: "runtime.yaml", line: 1, column: 13 });
  assert.deepEqual(service, {
    name: "a",
    group: "a",
    replica: 1,
    task: false,
    run: {
      type: "process",
      argv: ["x"],
      cwd: "/app",
      environment: {},
      stdin: "null",
      stopSignal: "SIGTERM",
      forwardSignals: [],
    },
    priority: 0,
    dependencies: [],
    critical: true,
    profiles: [],
    startTimeoutMs: 30_000,
    stopTimeoutMs: 5000,
    restart: {
      policy: "never",
      backoff: { minMs: 100, maxMs: 10_000 },
      limit: { count: 10, windowMs: 60_000 },
      resetAfterMs: 10_000,
    },
    routes: [],
    watch: [],
  });
  const { files, runtime, http, control, stateFolder } = configOf("services: { a: { command: [x] } }");
  assert.deepEqual(files, ["/app/runtime.yaml"]);
  assert.deepEqual(runtime, {
    name: "haraka",
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: "auto", drainMs: "auto" },
    log: { format: "auto", level: "info", overflow: "pause", ringBytes: 256 * 1024 },
  });
  assert.equal(stateFolder, "/app/data");
  assert.deepEqual(control, { socket: "/app/data/haraka.sock", socketNamed: false });
  assert.deepEqual(http, { host: "0.0.0.0", port: 8080, idleTimeoutMs: 120_000 });
});

test("loadConfig takes the port from PORT unless a file has one", () => {
  const port = (http: string) => {
    const config = configOf({
      files: { "runtime.yaml": `${http}\nservices: { a: { command: [x] } }` },
      env: { PORT: "81" },
    });
    return config.http && config.http.port;
  };
  assert.equal(port(""), 81);
  assert.equal(port("http: { host: '::' }"), 81);
  assert.equal(port("http: { port: 0 }"), 0);
  assert.equal(port("http: false"), false);
});

test("loadConfig converts everything once", () => {
  const yaml = `
runtime: { startup: { timeout: 2m, concurrency: 4 }, shutdown: { budget: 1h, drain: 0s } }
services:
  a:
    command: sh -c "echo 'hi there'" # as Compose splits it
    cwd: sub/../work
    envFile: a.env
    environment: { A: 022, B: True, C: 1.50, FROM_BOTH: "2" }
    user: 1000
    group: 0o17
    stdin: null
    readiness: { tcp: "[::1]:80", interval: 250ms, timeout: "2s", failureThreshold: "5" }
    startup: { logPattern: "^up$" }
    dependencies: { b: started, c: {}, d: { condition: started, required: "false" } }
  b: { entrypoint: ./b.ts#B, settings: { n: 1, list: [a] }, readiness: manual }
  c: { command: [c, 1, true, 0x1F], kind: task }
  d: { entrypoint: /d.ts, dependencies: [c, b] }
`;
  const files = { "conf/runtime.yaml": yaml, "conf/a.env": "FROM_FILE=1\nFROM_BOTH=1\n" };
  const { runtime, services } = configOf({ files });
  const [a, b, c, d] = services;
  assert.ok(a && b && c && d);
  assert.deepEqual(runtime.startup, { timeoutMs: 120_000, concurrency: 4, onFailure: "rollback" });
  assert.deepEqual(runtime.shutdown, { budgetMs: 3_600_000, drainMs: 0 });
  assert.deepEqual(a.run, {
    type: "process",
    argv: ["sh", "-c", "echo 'hi there'"],
    cwd: "/app/conf/work",
    environment: { FROM_FILE: "1", FROM_BOTH: "2", A: "022", B: "True", C: "1.50" },
    user: "1000",
    group: "0o17",
    stdin: "null",
    stopSignal: "SIGTERM",
    forwardSignals: [],
  });
  const times = { intervalMs: 1000, timeoutMs: 1000, failureThreshold: 3, successThreshold: 1 };
  assert.deepEqual(a.readiness, {
    type: "tcp",
    host: "::1",
    port: 80,
    ...times,
    intervalMs: 250,
    timeoutMs: 2000,
    failureThreshold: 5,
  });
  assert.deepEqual(a.startup, { type: "logPattern", pattern: "^up$", ...times });
  assert.deepEqual(a.dependencies, [
    { service: "b", condition: "started", required: true, restart: false },
    { service: "c", condition: "completed", required: true, restart: false },
    { service: "d", condition: "started", required: false, restart: false },
  ]);
  assert.deepEqual(b.run, {
    type: "module",
    file: "/app/conf/b.ts",
    exportName: "B",
    entrypoint: "./b.ts#B",
    settings: { n: 1, list: ["a"] },
  });
  assert.equal(b.readiness, "manual");
  assert.ok(c.task && c.run.type === "process" && d.run.type === "module");
  assert.deepEqual(c.run.argv, ["c", "1", "true", "0x1F"]);
  assert.deepEqual([d.run.file, d.run.exportName], ["/d.ts", "default"]);
  assert.deepEqual(d.dependencies, [
    { service: "c", condition: "completed", required: true, restart: false },
    { service: "b", condition: "ready", required: true, restart: false },
  ]);
});

test("loadConfig hands the line to a shell where the config says so", () => {
  const { run } = serviceOf('services: { a: { command: "a | b $$HOME", shell: true } }');
  assert.ok(run.type === "process");
  assert.deepEqual(run.argv, ["/bin/sh", "-c", "a | b $HOME"]);
});

test("loadConfig keeps services in the order of the file", () => {
  const { services } = configOf("services: { c: { command: c }, a: { command: a }, b: { command: b } }");
  assert.deepEqual(
    services.map(({ name }) => name),
    ["c", "a", "b"],
  );
});
