import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "./reading.ts";

const later = "this version does not have it yet";
const inHere = "services run in this container: use `command` for a process, `entrypoint` for a module";

/** A line below `command: [x]`, and what is said about its key. */
const KEYS: [line: string, advice: string][] = [
  ["depends_on: [b]", "use `dependencies`"],
  ["healthcheck: { test: x }", "use `readiness`, as `readiness: { http: URL }` or `{ tcp: host:port }`"],
  ["readiness_probe: {}", "use `readiness`"],
  ["liveness_probe: {}", "it is `liveness` here, which this version does not have yet"],
  ["stop_grace_period: 5s", "use `stopTimeout`"],
  ["stop_signal: SIGINT", "use `stopSignal`"],
  ["env_file: .env", "use `envFile`"],
  ["env: [A=1]", "use `environment`, a map"],
  ["working_dir: /", "use `cwd`"],
  ["args: [y]", "put the arguments into `command`, a list"],
  ["image: redis", inHere],
  ["build: .", inHere],
  ["ports: ['80:80']", "services open their own ports; the runtime's is `http.port`"],
  ["volumes: [a]", "services see this container's files; there is nothing to mount"],
  ["is_oneshot: true", "use `kind: task`"],
  [
    "restart: unless-stopped",
    `\`restart: unless-stopped\` is \`restart: { policy: always }\` here, which this version does not have yet`,
  ],
  [
    "restart: always",
    `\`restart: always\` is \`restart: { policy: always }\` here, which this version does not have yet`,
  ],
  ["restart: no", `${later}: services are not restarted`],
  ["restart: { policy: never }", later],
  ["replicas: 2", later],
  ["liveness: { log: x }", later],
  ["notificationFd: 3", later],
  ["schedule: '* * * * *'", later],
];

for (const [line, advice] of KEYS) {
  test(`the key of \`${line}\` gets its translation`, () => {
    const key = line.split(":")[0];
    assert.deepEqual(problemsOf(`services:\n  a:\n    command: [x]\n    ${line}\n`), [
      `runtime.yaml:4:5 services.a.${key}: unknown key "${key}": ${advice}`,
    ]);
  });
}

test("keys of probes and of the whole file get theirs", () => {
  const yaml = `version: "3"
store: { driver: redis }
services: { a: { command: [x], readiness: { exec: [x] }, startup: { notify: true } } }
`;
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:1:1 version: unknown key "version": leave it out: there is one version of this format',
    `runtime.yaml:2:1 store: unknown key "store": ${later}`,
    `runtime.yaml:3:45 services.a.readiness.exec: unknown key "exec": ${later}`,
    `runtime.yaml:3:69 services.a.startup.notify: unknown key "notify": ${later}`,
  ]);
});

/** A condition from elsewhere, and what it is here. */
const CONDITIONS: Record<string, string> = {
  service_healthy: "ready",
  process_healthy: "ready",
  service_started: "started",
  service_completed_successfully: "completed",
  process_completed_successfully: "completed",
};

for (const [word, condition] of Object.entries(CONDITIONS)) {
  test(`the condition ${word} gets its translation`, () => {
    const yaml = `services:
  a: { command: [x], dependencies: { b: ${word}, c: { condition: ${word} } } }
  b: { command: [x] }
  c: { command: [x] }
`;
    const expected = "expected `started` or `ready` or `completed`";
    assert.deepEqual(problemsOf(yaml), [
      `runtime.yaml:2:41 services.a.dependencies.b: ${expected} or a map, got "${word}": use \`${condition}\``,
      `runtime.yaml:2:${59 + word.length} services.a.dependencies.c.condition: ${expected}, got "${word}": use \`${condition}\``,
    ]);
  });
}

test("kinds from elsewhere get theirs", () => {
  const kind = (word: string) =>
    problemsOf(`services: { a: { command: [x], kind: ${word} } }`)[0]?.split('": ')[1];
  assert.equal(kind("oneshot"), "use `task`");
  assert.equal(kind("process"), "leave it out: `command` makes it a process");
  assert.equal(kind("module"), "leave it out: `entrypoint` makes it a module");
});
