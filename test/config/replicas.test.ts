// Services that run several times: their names, their values, what may depend on them, and how they are printed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { printConfig } from "../../src/config/print.ts";
import { memoryConfig, type MemoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf } from "./reading.ts";

/** What each service of a config runs, by name. */
function runsOf(given: string | MemoryConfig): Record<string, { argv: readonly string[]; env: object }> {
  return Object.fromEntries(
    configOf(given).services.map(({ name, run }) => {
      assert.ok(run.type === "process");
      return [name, { argv: run.argv, env: run.environment }];
    }),
  );
}

test("a config has one service for each replica, in the order of the file", () => {
  const { services } = configOf(
    'services: { db: { command: db }, api: { command: api, replicas: "3" }, last: { command: x } }',
  );
  assert.deepEqual(
    services.map(({ name, group, replica, position }) => [name, group, replica, position.column]),
    [
      ["db", "db", 1, 13],
      ["api-1", "api", 1, 34],
      ["api-2", "api", 2, 34],
      ["api-3", "api", 3, 34],
      ["last", "last", 1, 72],
    ],
  );
});

test("each replica has its number in its environment and in its values, whatever the runtime's own is", () => {
  const yaml = `
services:
  api:
    command: [api, "--port=808\${HARAKA_REPLICA}"]
    replicas: 2
    environment: { ID: "\${HARAKA_REPLICA:-none}", HARAKA_REPLICA: "9" }
    envFile: "\${HARAKA_REPLICA}.env"
  plain: { command: [plain, "\${HARAKA_REPLICA}", "\${file:key-\${HARAKA_REPLICA}}"] }
`;
  const files = { "runtime.yaml": yaml, "1.env": "FILE=first", "2.env": "FILE=second", "key-1": "k1" };
  assert.deepEqual(runsOf({ files, env: { HARAKA_REPLICA: "7" } }), {
    "api-1": { argv: ["api", "--port=8081"], env: { FILE: "first", ID: "1", HARAKA_REPLICA: "1" } },
    "api-2": { argv: ["api", "--port=8082"], env: { FILE: "second", ID: "2", HARAKA_REPLICA: "2" } },
    plain: { argv: ["plain", "1", "k1"], env: {} },
  });
});

test("any value of a service may have the number, also one that is no text, and in a manifest", () => {
  const files = {
    "runtime.yaml": "include: [w/service.yaml]\nservices: { db: { command: db, replicas: 2 } }",
    "w/service.yaml": `
entrypoint: ./w.ts
replicas: 2
priority: "\${HARAKA_REPLICA}"
startTimeout: "\${HARAKA_REPLICA}0s"
dependencies: ["db-\${HARAKA_REPLICA}"]
settings: { shard: "\${HARAKA_REPLICA}", of: 2 }
readiness: { tcp: "127.0.0.1:808\${HARAKA_REPLICA}" }
`,
  };
  const [, , first, second] = configOf({ files }).services;
  const seen = [first, second].map((service) => {
    assert.ok(service?.run.type === "module" && typeof service.readiness === "object");
    assert.ok(service.readiness.type === "tcp");
    const { priority, startTimeoutMs, dependencies, run, readiness } = service;
    return [priority, startTimeoutMs, dependencies[0]?.service, run.settings, readiness.port];
  });
  assert.deepEqual(seen, [
    [1, 10_000, "db-1", { shard: "1", of: 2 }, 8081],
    [2, 20_000, "db-2", { shard: "2", of: 2 }, 8082],
  ]);
});

test("a dependency, and the exit code, name a service with all its replicas, or one of them", () => {
  const { runtime, services } = configOf(`
runtime: { exitCodeFrom: job-2 }
services:
  api: { command: api, replicas: 2 }
  job: { command: job, kind: task, replicas: 2 }
  web: { command: web, dependencies: { api: {}, job: {}, api-2: started, job-1: {} } }
`);
  assert.equal(runtime.exitCodeFrom, "job-2");
  assert.deepEqual(
    services.at(-1)?.dependencies.map(({ service, condition }) => [service, condition]),
    [
      ["api", "ready"],
      ["job", "completed"],
      ["api-2", "started"],
      ["job-1", "completed"],
    ],
  );
});

const REPLICA = (column: string, path: string) =>
  `runtime.yaml:${column} ${path}: cannot resolve "\${HARAKA_REPLICA}": only the values of a service have it, and \`replicas\` is not among them`;

test("the number is known in the values of a service only", () => {
  const yaml = `
runtime: { name: "\${HARAKA_REPLICA}" }
http: { port: "808\${HARAKA_REPLICA:-0}" }
services: { a: { command: x, replicas: "\${HARAKA_REPLICA:?}" } }
`;
  const files = { "runtime.yaml": yaml };
  assert.deepEqual(problemsOf({ files, env: { HARAKA_REPLICA: "2" } }), [
    REPLICA("2:18", "runtime.name"),
    REPLICA("3:15", "http.port"),
    REPLICA("4:40", "services.a.replicas"),
  ]);
  assert.deepEqual(problemsOf('include: ["${HARAKA_REPLICA}.yaml"]\nservices: { a: { command: x } }'), [
    REPLICA("1:11", "").replace(" : ", " "),
  ]);
});

const REFUSED: [yaml: string, ...problems: string[]][] = [
  ["a: { command: x, replicas: 0 }", "1:40 services.a.replicas: expected at least 1, got 0"],
  ["a: { command: x, replicas: 1001 }", "1:40 services.a.replicas: expected at most 1000, got 1001"],
  ["a: { command: x, replicas: 1.5 }", "1:40 services.a.replicas: expected a whole number, got 1.5"],
  ["a: { command: x, replicas: two }", '1:40 services.a.replicas: expected a number, got "two"'],
  [
    "a: { command: x, replicas: 2 }, a-2: { command: x }",
    '1:45 services.a-2: cannot name a service "a-2": "a" has a replica of that name; rename one of them',
  ],
  [
    `${"a".repeat(62)}: { command: x, replicas: 2 }`,
    `1:13 services.${"a".repeat(62)}: cannot name a replica "${"a".repeat(62)}-2": a name starts with a letter and has up to 63 lower-case letters, digits, \`.\`, \`_\` and \`-\``,
  ],
  [
    "a: { command: x, replicas: 2 }, b: { command: x, dependencies: [a-1, a-3, a-0, a-01] }",
    "1:82 services.b.dependencies[1]: Unknown dependency 'a-3' for service 'b'; did you mean \"a\"?",
    "1:87 services.b.dependencies[2]: Unknown dependency 'a-0' for service 'b'; did you mean \"a\"?",
    "1:92 services.b.dependencies[3]: Unknown dependency 'a-01' for service 'b'",
  ],
  [
    "a: { command: x }, b: { command: x, dependencies: [a-1] }",
    "1:64 services.b.dependencies[0]: Unknown dependency 'a-1' for service 'b'; did you mean \"a\"?",
  ],
];

for (const [services, ...problems] of REFUSED) {
  test(`loadConfig refuses services: { ${services.replace(/a{9,}/, "a…")} }`, () => {
    assert.deepEqual(
      problemsOf(`services: { ${services} }`),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}

test("a service that is named like no replica is not taken for one", () => {
  const yaml =
    "services: { a: { command: x, replicas: 2 }, a-3: { command: x }, a-01: { command: x }, b: { command: x }, b-1: { command: x } }";
  assert.equal(configOf(yaml).services.length, 6);
});

test("where the number of replicas is wrong, no replica is said to be unknown", () => {
  const yaml =
    "services: { a: { command: x, replicas: x }, a-1: { command: x }, b: { command: x, dependencies: [a-7] } }";
  assert.deepEqual(problemsOf(yaml), ['runtime.yaml:1:40 services.a.replicas: expected a number, got "x"']);
});

test("what is wrong with all replicas is said once, what is wrong with one of them is said of it", () => {
  const yaml = `
services:
  a:
    command: [x]
    replicas: 6
    priority: "p\${HARAKA_REPLICA}"
    readiness: { tcp: "127.0.0.1:6553\${HARAKA_REPLICA}" }
    envFile: "\${HARAKA_REPLICA}.env"
    cwd: "\${NONE}"
    user: "\${file:user-\${HARAKA_REPLICA}}"
    dependencies: ["b-\${HARAKA_REPLICA}"]
  b: { command: [x], replicas: 4 }
`;
  const files = { "runtime.yaml": yaml, "1.env": "A=1", "user-1": "me" };
  assert.deepEqual(problemsOf({ files }), [
    'runtime.yaml:6:15 services.a.priority: expected a number, got "p1" (from p${HARAKA_REPLICA})',
    'runtime.yaml:7:23 services.a.readiness.tcp: expected a port from 1 to 65535, got "127.0.0.1:65536" (from 127.0.0.1:6553${HARAKA_REPLICA})',
    'runtime.yaml:9:10 services.a.cwd: cannot resolve "${NONE}": the variable is not set; set it, or write ${NONE:-default}',
    'runtime.yaml:10:11 services.a.user: cannot read "user-2": no such file',
  ]);
  const right = yaml
    .replace("p$", "$")
    .replace("6553$", "655$")
    .replace("${NONE}", "/")
    .replace("user-$", "user-1$");
  const rest = { ...files, "runtime.yaml": right.replace(/ {4}user.*\n/, "") };
  assert.deepEqual(problemsOf({ files: rest }), [
    'runtime.yaml:8:14 services.a.envFile: cannot read "2.env": no such file',
    "runtime.yaml:10:20 services.a.dependencies[0]: Unknown dependency 'b-5' for service 'a'; did you mean \"b\"?",
  ]);
});

test("printConfig prints replicas as the one service they are, with their number where it stood", () => {
  const yaml = `
services:
  api:
    command: [api, "--port=808\${HARAKA_REPLICA}", "1", "$\${HOME}"]
    replicas: 3
    priority: "1\${HARAKA_REPLICA}"
    stopTimeout: "\${HARAKA_REPLICA}s"
    environment: { ID: "n\${HARAKA_REPLICA}1", TOKEN: "t\${HARAKA_REPLICA}" }
    envFile: "\${HARAKA_REPLICA}.env"
    dependencies: ["db-\${HARAKA_REPLICA}"]
    readiness: { http: "http://127.0.0.1:808\${HARAKA_REPLICA}/" }
  db: { command: db, replicas: 3 }
  web: { command: web, dependencies: [api] }
`;
  const files = { "runtime.yaml": yaml, "1.env": "FILE=x", "2.env": "FILE=y", "3.env": "FILE=z" };
  const printed = printConfig(memoryConfig({ files }));
  for (const part of [
    '- --port=808${HARAKA_REPLICA}\n      - "1"\n      - $${HOME}\n',
    "FILE: (differs per replica)\n      ID: n${HARAKA_REPLICA}1\n      TOKEN: (redacted)\n    cwd",
    "priority: 1${HARAKA_REPLICA}\n    dependencies:\n      - db-${HARAKA_REPLICA}\n",
    "replicas: 3\n",
    "stopTimeout: ${HARAKA_REPLICA}s\n",
    "http: http://127.0.0.1:808${HARAKA_REPLICA}/\n",
    "  db:\n    command:\n      - db\n    environment: {}\n",
    "      api:\n        condition: ready\n",
  ]) {
    assert.ok(printed.includes(part), `${part} is not in\n${printed}`);
  }
});
