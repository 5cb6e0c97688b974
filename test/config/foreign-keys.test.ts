import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "./reading.ts";

const asRestart = "use `restart`, as `restart: { policy: on-failure, backoff: 100ms..10s, limit: 10/1m }`";
const inHere = "services run in this container: use `command` for a process, `entrypoint` for a module";

/** A line below `command: [x]`, and what is said about its key. */
const KEYS: [line: string, advice: string][] = [
  ["depends_on: [b]", "use `dependencies`"],
  [
    "healthcheck: { test: x }",
    "use `readiness`, as `readiness: { http: URL }`, `{ tcp: host:port }` or `{ exec: [COMMAND] }`",
  ],
  ["readiness_probe: {}", "use `readiness`"],
  ["liveness_probe: {}", "use `liveness`"],
  ["livenessProbe: {}", "use `liveness`"],
  ["availability: { restart: always }", asRestart],
  ["restart_policy: { condition: any }", asRestart],
  ["autorestart: true", "use `restart`: `always`, `on-failure` or `never`"],
  ["autostart: false", "leave it out; for what is not always wanted there is `profiles`"],
  ["startretries: 3", "use `restart: { limit: COUNT/DURATION }`"],
  ["numprocs: 2", "use `replicas`"],
  ["deploy: { replicas: 2 }", "use `replicas`"],
  ["scale: 2", "use `replicas`"],
  ["stopwaitsecs: 5", "use `stopTimeout`"],
  ["directory: /", "use `cwd`"],
  ["cron: '* * * * *'", "use `schedule`"],
  ["develop: {}", "use `watch`"],
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
  ["labels: [a=b]", "use `routes`; `haraka emit compose` makes labels of them"],
];

for (const [line, advice] of KEYS) {
  test(`the key of \`${line}\` gets its translation`, () => {
    const key = line.split(":")[0];
    assert.deepEqual(problemsOf(`services:\n  a:\n    command: [x]\n    ${line}\n`), [
      `runtime.yaml:4:5 services.a.${key}: unknown key "${key}": ${advice}`,
    ]);
  });
}

test("keys of probes, of restart and of the whole file get theirs", () => {
  const yaml = `version: "3"
services:
  a: { command: [x], liveness: { test: [x], initialDelaySeconds: 5 }, restart: { max_restarts: 5 } }
`;
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:1:1 version: unknown key "version": leave it out: there is one version of this format',
    'runtime.yaml:3:34 services.a.liveness.test: unknown key "test": use `exec`, `http: URL` or `tcp: host:port`',
    'runtime.yaml:3:45 services.a.liveness.initialDelaySeconds: unknown key "initialDelaySeconds": leave it out: `startup` is asked from the beginning and may fail for as long as `startTimeout`, the others are asked once it has started',
    'runtime.yaml:3:82 services.a.restart.max_restarts: unknown key "max_restarts": use `limit: COUNT/DURATION`',
  ]);
});

/** A policy from elsewhere, and what it is here. */
const POLICIES: Record<string, string> = {
  "unless-stopped": "use `always`",
  on_failure: "use `on-failure`",
  OnFailure: "use `on-failure`",
  unexpected: "use `on-failure`",
  exit_on_failure: "use `never`: the end of a critical service ends the runtime",
  "on-failure:3": "use `{ policy: on-failure, limit: 3/1m }`",
};

for (const [word, advice] of Object.entries(POLICIES)) {
  test(`the restart policy ${word} gets its translation`, () => {
    assert.deepEqual(problemsOf(`services: { a: { command: [x], restart: "${word}" } }`), [
      `runtime.yaml:1:41 services.a.restart: expected \`never\` or \`no\` or \`on-failure\` or \`always\` or a map, got "${word}": ${advice}`,
    ]);
  });
}

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
