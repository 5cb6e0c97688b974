// The keys that keep services up: restart, liveness, the probes by `exec` and `notify`, schedules, signals, watch.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { ProbeConfig, ServiceConfig } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { configFiles } from "../../src/drivers/config-files.ts";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

/** The service `a` with `command: [x]` and these lines. */
function withKeys(lines: string): ServiceConfig {
  return serviceOf(`services:\n  a:\n    command: [x]\n${lines.replace(/^/gm, "    ")}\n`);
}

const TIMES = { intervalMs: 1000, timeoutMs: 1000, failureThreshold: 3, successThreshold: 1 };
const NOTIFY: ProbeConfig = { type: "notify", ...TIMES };
const DEFAULT = {
  backoff: { minMs: 100, maxMs: 10_000 },
  limit: { count: 10, windowMs: 60_000 },
  resetAfterMs: 10_000,
};

/** What is written as `restart`, and the policy it is. */
const POLICIES: [written: string, policy: string][] = [
  ["never", "never"],
  ["no", "never"],
  ["'no'", "never"],
  ["false", "never"],
  ["on-failure", "on-failure"],
  ["always", "always"],
  ["{}", "on-failure"],
  ["{ policy: no }", "never"],
  ["{ policy: false }", "never"],
  ["{ policy: always }", "always"],
];

for (const [written, policy] of POLICIES) {
  test(`restart: ${written} is ${policy}, with the defaults for the rest`, () => {
    assert.deepEqual(withKeys(`restart: ${written}`).restart, { policy, ...DEFAULT });
  });
}

test("restart takes its policy from a variable, and its details from a map", () => {
  const yaml = 'services: { a: { command: [x], restart: "${RESTART}" } }';
  const { restart } = serviceOf({ files: { "runtime.yaml": yaml }, env: { RESTART: "false" } });
  assert.equal(restart.policy, "never");
  const map = "{ policy: always, backoff: 1s..2m, limit: 5/30s, resetAfter: 250ms }";
  assert.deepEqual(withKeys(`restart: ${map}`).restart, {
    policy: "always",
    backoff: { minMs: 1000, maxMs: 120_000 },
    limit: { count: 5, windowMs: 30_000 },
    resetAfterMs: 250,
  });
  assert.deepEqual(withKeys("restart: { backoff: 5s..5s }").restart.backoff, { minMs: 5000, maxMs: 5000 });
});

test("liveness makes the policy on-failure, unless a policy is written", () => {
  const liveness = "liveness: { tcp: 'a:1' }";
  assert.deepEqual(withKeys(liveness).restart, { policy: "on-failure", ...DEFAULT });
  assert.equal(withKeys(`${liveness}\nrestart: never`).restart.policy, "never");
  assert.equal(withKeys(`${liveness}\nrestart: { policy: no }`).restart.policy, "never");
  assert.equal(withKeys("readiness: { tcp: 'a:1' }").restart.policy, "never");
});

test("probes run a command as a list or as a text, its numbers as they are written", () => {
  assert.deepEqual(withKeys('liveness: { exec: [check, 022, true], interval: "5s" }').liveness, {
    type: "exec",
    argv: ["check", "022", "true"],
    ...TIMES,
    intervalMs: 5000,
  });
  const { startup, readiness } = withKeys(
    `startup: { exec: "check --name 'a b'" }\nreadiness: { exec: check }`,
  );
  assert.deepEqual(startup, { type: "exec", argv: ["check", "--name", "a b"], ...TIMES });
  assert.deepEqual(readiness, { type: "exec", argv: ["check"], ...TIMES });
  const module = serviceOf("services: { a: { entrypoint: ./a.ts, liveness: { exec: [check] } } }");
  assert.deepEqual(module.liveness, { type: "exec", argv: ["check"], ...TIMES });
  assert.deepEqual(withKeys("liveness: { notify: true }").liveness, NOTIFY);
});

test("a service says itself that it is ready: notify, a descriptor, or both", () => {
  assert.deepEqual(withKeys("readiness: { notify: true }").readiness, NOTIFY);
  assert.deepEqual(withKeys('readiness: { notify: "true" }').readiness, NOTIFY);
  const alone = withKeys("notificationFd: 3");
  const both = withKeys("notificationFd: 3\nreadiness: { notify: true }");
  assert.deepEqual({ ...alone, position: 0 }, { ...both, position: 0 });
  assert.deepEqual(alone.readiness, NOTIFY);
  assert.ok(alone.run.type === "process");
  assert.equal(alone.run.notificationFd, 3);
  const started = withKeys('notificationFd: "255"\nstartup: { notify: true }');
  assert.deepEqual([started.startup, started.readiness], [NOTIFY, undefined]);
  const early = withKeys("notificationFd: 4\nstartup: { notify: true }\nreadiness: { tcp: 'a:1' }");
  assert.deepEqual(
    [early.startup?.type, early.readiness],
    ["notify", { type: "tcp", host: "a", port: 1, ...TIMES }],
  );
});

test("a task has a schedule: a text, or a map with time zone and overlap", () => {
  const schedule = (written: string) => withKeys(`kind: task\nschedule: ${written}`).schedule;
  assert.deepEqual(schedule('"*/5 * * * *"'), { cron: "*/5 * * * *", overlap: "skip" });
  assert.deepEqual(schedule("'@hourly'"), { cron: "@hourly", overlap: "skip" });
  assert.deepEqual(schedule("{ cron: '30 0 9 * * MON-FRI', timeZone: Europe/Berlin, overlap: replace }"), {
    cron: "30 0 9 * * MON-FRI",
    timeZone: "Europe/Berlin",
    overlap: "replace",
  });
  assert.deepEqual(schedule("{ cron: 0 0 29 2 *, timeZone: UTC, overlap: queue }")?.overlap, "queue");
  assert.equal(withKeys("kind: task").schedule, undefined);
});

test("a scheduled task may depend on others", () => {
  const [, job] = configOf(
    "services: { db: { command: [x] }, job: { command: [x], kind: task, schedule: '@daily', dependencies: [db] } }",
  ).services;
  assert.deepEqual(job?.dependencies, [
    { service: "db", condition: "ready", required: true, restart: false },
  ]);
});

test("watch is relative to the file it stands in; forwarded signals are named once", () => {
  const files = {
    "runtime.yaml": "include: [a/service.yaml]\nservices: { b: { command: [x], watch: [/etc/*.conf] } }",
    "a/service.yaml":
      "command: [x]\nwatch: [src/**/*.ts, ../shared/*.json]\nforwardSignals: [SIGUSR1, SIGWINCH, SIGUSR1]",
  };
  const [b, a] = configOf({ files }).services;
  assert.deepEqual(b?.watch, ["/etc/*.conf"]);
  assert.deepEqual(a?.watch, ["/app/a/src/**/*.ts", "/app/shared/*.json"]);
  assert.ok(a?.run.type === "process" && b?.run.type === "process");
  assert.deepEqual([a.run.forwardSignals, b.run.forwardSignals], [["SIGUSR1", "SIGWINCH"], []]);
});

test("a dependency says whether its restart is passed on", () => {
  const [a] = configOf(
    "services: { a: { command: [x], dependencies: { b: { restart: true }, c: { restart: 'false' } } }, b: { command: [x] }, c: { command: [x] } }",
  ).services;
  assert.deepEqual(
    a?.dependencies.map(({ restart }) => restart),
    [true, false],
  );
});

const SPANS = "expected two durations such as 100ms..10s";
const RATE = "expected a count within a duration such as 10/1m";
const ONCE = "passes once and for all: use http, tcp, exec or notify";
const TASK = "a task is never ready, it is done when it ends: leave it out";
const CRON =
  'write five fields, as "*/5 * * * *", six with seconds before them, or @hourly, @daily, @weekly, @monthly, @yearly';

/** Lines below `command: [x]`, and what is said about them; `+` stands for the column after the key. */
const REFUSED: [yaml: string, ...problems: string[]][] = [
  [
    "restart: alway",
    '4:14 services.a.restart: expected `never` or `no` or `on-failure` or `always` or a map, got "alway"; did you mean "always"?',
  ],
  [
    "restart: true",
    "4:14 services.a.restart: expected `never` or `no` or `on-failure` or `always` or a map, got true",
  ],
  [
    "restart: { policy: 5, limits: 1 }",
    "4:24 services.a.restart.policy: expected `never` or `no` or `on-failure` or `always`, got 5",
    '4:27 services.a.restart.limits: unknown key "limits"; did you mean "limit"?',
  ],
  ...["5s", "5..10", "5s-10s", "5s..", "a..b"].map((text): [string, string] => [
    `restart: { backoff: ${text} }`,
    `4:25 services.a.restart.backoff: ${SPANS}, got "${text}"`,
  ]),
  ["restart: { backoff: 5 }", `4:25 services.a.restart.backoff: ${SPANS}, got 5`],
  [
    "restart: { backoff: 0s..1s }",
    '4:25 services.a.restart.backoff: expected more than 0ms before the `..`, got "0s..1s"',
  ],
  [
    "restart: { backoff: 2s..1s }",
    '4:25 services.a.restart.backoff: expected the shorter duration first, got "2s..1s"',
  ],
  [
    "restart: { backoff: 1s..597h }",
    '4:25 services.a.restart.backoff: expected at most 596h, got "1s..597h"',
  ],
  ...["5", "5/", "/1m", "5/m", "-1/1m", "1.5/1m", "1234567/1m"].map((text): [string, string] => [
    `restart: { limit: '${text}' }`,
    `4:23 services.a.restart.limit: ${RATE}, got "${text}"`,
  ]),
  [
    "restart: { limit: 0/1m }",
    '4:23 services.a.restart.limit: expected a count of at least 1; `policy: never` is for none, got "0/1m"',
  ],
  [
    "restart: { limit: 1/0s }",
    '4:23 services.a.restart.limit: expected more than 0s after the `/`, got "1/0s"',
  ],
  ["restart: { limit: 1/597h }", '4:23 services.a.restart.limit: expected at most 596h, got "1/597h"'],
  ["restart: { resetAfter: 0s }", '4:28 services.a.restart.resetAfter: expected more than 0s, got "0s"'],
  [
    "restart: always\nkind: task",
    "4:14 services.a.restart: a task that is always started again is never done: use `on-failure`, or `schedule` for times",
  ],
  ...["log: x", "logPattern: x"].map((line): [string, string] => {
    const key = line.split(":")[0];
    return [`liveness: { ${line} }`, `4:17 services.a.liveness.${key}: \`${key}\` ${ONCE}`];
  }),
  [
    "liveness: { tcp: 'a:1' }\nkind: task",
    "4:5 services.a.liveness: a task is not asked whether it lives, `startTimeout` is how long it may take: leave it out",
  ],
  ["liveness: manual", '4:15 services.a.liveness: expected a map, got "manual"'],
  [
    "liveness: {}",
    "4:5 services.a.liveness: a probe has one of http, tcp, exec, notify, log, logPattern; got none of them",
  ],
  [
    "liveness: { exec: x, tcp: 'a:1' }",
    "4:5 services.a.liveness: a probe has one of http, tcp, exec, notify, log, logPattern; got tcp and exec",
  ],
  ["liveness: { exec: [] }", "4:17 services.a.liveness.exec: expected it not to be empty, got a list"],
  ["liveness: { exec: {} }", "4:17 services.a.liveness.exec: expected text or a list, got a map"],
  ["liveness: { exec: [x, []] }", "4:27 services.a.liveness.exec[1]: expected text, got a list"],
  [
    "liveness: { exec: ['', x] }",
    "4:24 services.a.liveness.exec[0]: the first argument is what to run, and is empty",
  ],
  [
    "liveness: { exec: 'a | b' }",
    '4:23 services.a.liveness.exec: cannot run a command with "|" without a shell: if it is an argument, write a list, as ["a", "|", "b"]; if a shell should see it, add `shell: true`',
  ],
  ["readiness: { notify: false }", "4:26 services.a.readiness.notify: expected `true`, got false"],
  ["notificationFd: 2", "4:21 services.a.notificationFd: expected at least 3, got 2"],
  ["notificationFd: 256", "4:21 services.a.notificationFd: expected at most 255, got 256"],
  ["notificationFd: x", '4:21 services.a.notificationFd: expected a number, got "x"'],
  ["notificationFd: 3\nkind: task", `4:5 services.a.notificationFd: ${TASK}`],
  [
    "notificationFd: 3\nreadiness: { log: x }",
    "4:5 services.a.notificationFd: nothing waits for it: write `notify: true` as the probe in `readiness` or `startup`, or leave `readiness` out",
  ],
  ["schedule: '@daily'", "4:5 services.a.schedule: only a task has times at which it runs: add `kind: task`"],
  ["schedule: '@daily'\nkind: tsk", '5:11 services.a.kind: expected `task`, got "tsk"; did you mean "task"?'],
  ["schedule: 5\nkind: task", "4:15 services.a.schedule: expected text or a map, got 5"],
  ["schedule: ''\nkind: task", '4:15 services.a.schedule: expected it not to be empty, got ""'],
  ["schedule: {}\nkind: task", "4:5 services.a.schedule.cron: expected text, got nothing"],
  [
    "schedule: { cron: '@daily', timezone: UTC, overlap: wait }\nkind: task",
    '4:33 services.a.schedule.timezone: unknown key "timezone"; did you mean "timeZone"?',
    '4:57 services.a.schedule.overlap: expected `skip` or `queue` or `replace`, got "wait"',
  ],
  [
    "schedule: '60 * * * *'\nkind: task",
    `4:15 services.a.schedule: cannot read the schedule "60 * * * *": Invalid value for minute: 60; ${CRON}`,
  ],
  ...[
    ["5m", "it has 1 field"],
    ["* * * *", "it has 4 fields"],
    ["* * * * * * 2030", "it has 7 fields"],
    ["2030-01-01T00:00:00", "it has 1 field"],
    ["@reboot", '"@reboot" is not known'],
    ["@every 5m", "it has 2 fields"],
  ].map(([text, reason]): [string, string] => [
    `schedule: '${text}'\nkind: task`,
    `4:15 services.a.schedule: cannot read the schedule "${text}": ${reason}; ${CRON}`,
  ]),
  [
    "schedule: '0 0 30 2 *'\nkind: task",
    '4:15 services.a.schedule: the schedule "0 0 30 2 *" is never due: none of its months has such a day',
  ],
  [
    "schedule: { cron: '* * *', timeZone: Europe/Berln }\nkind: task",
    `4:23 services.a.schedule.cron: cannot read the schedule "* * *": it has 3 fields; ${CRON}`,
    '4:42 services.a.schedule.timeZone: there is no time zone "Europe/Berln": use an IANA name, as Europe/Berlin or UTC',
  ],
  ["watch: '*.ts'", '4:12 services.a.watch: expected a list, got "*.ts"'],
  ["watch: ['']", '4:13 services.a.watch[0]: expected it not to be empty, got ""'],
  ...(
    [
      ["SIGHUP", ": the runtime itself reloads at it"],
      ["SIGTERM", ": the runtime itself stops at it, and stops its services with their `stopSignal`"],
      ["SIGUSR", '; did you mean "SIGUSR1"?'],
    ] as const
  ).map(([signal, advice]): [string, string] => [
    `forwardSignals: [${signal}]`,
    `4:22 services.a.forwardSignals[0]: expected \`SIGUSR1\` or \`SIGUSR2\` or \`SIGWINCH\` or \`SIGQUIT\` or \`SIGCONT\`, got "${signal}"${advice}`,
  ]),
  [
    "dependencies: { job: {}, b: { restart: 1 } }",
    '4:21 services.a.dependencies.job: "job" is scheduled and no part of the start: nothing can wait for it; leave it out',
    "4:44 services.a.dependencies.b.restart: expected true or false, got 1",
  ],
  [
    "dependencies: [job]",
    '4:20 services.a.dependencies[0]: "job" is scheduled and no part of the start: nothing can wait for it; leave it out',
  ],
];

const OTHERS = "  b: { command: [b] }\n  job: { command: [j], kind: task, schedule: '@daily' }\n";

for (const [yaml, ...problems] of REFUSED) {
  test(`loadConfig refuses ${JSON.stringify(yaml)}`, () => {
    const service = `command: [x]\n${yaml}`.replace(/^/gm, "    ");
    assert.deepEqual(
      problemsOf(`services:\n  a:\n${service}\n${OTHERS}`),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}

const MODULE: [line: string, problem: string][] = [
  [
    "forwardSignals: [SIGUSR1]",
    "4:5 services.a.forwardSignals: `forwardSignals` is for processes; a module shares this process",
  ],
  [
    "notificationFd: 3",
    "4:5 services.a.notificationFd: `notificationFd` is for processes; a module shares this process",
  ],
  [
    "readiness: { notify: true }",
    "4:18 services.a.readiness.notify: `notify` is for processes; a module has `readiness: manual`",
  ],
];

for (const [line, problem] of MODULE) {
  test(`loadConfig refuses a module with ${line}`, () => {
    assert.deepEqual(problemsOf(`services:\n  a:\n    entrypoint: ./a.ts\n    ${line}\n`), [
      `runtime.yaml:${problem}`,
    ]);
  });
}

test("loadConfig takes no exit code from a scheduled task", () => {
  const yaml =
    "runtime: { exitCodeFrom: job }\nservices: { a: { command: [x] }, job: { command: [x], kind: task, schedule: '@daily' } }";
  assert.deepEqual(problemsOf(yaml), [
    'runtime.yaml:1:26 runtime.exitCodeFrom: cannot take the exit code from "job": it is scheduled, and the runtime does not end with it',
  ]);
});

test("the example of services that are kept up says what it is to show", () => {
  const file = join(import.meta.dirname, "../../config/examples/supervised/runtime.yaml");
  const env = { HARAKA_SELF: "/haraka", API_PORTS: "4242" };
  const { services } = loadConfig({ ...configFiles, files: [file], env, cwd: "/" });
  const [first, second, task] = services;
  assert.deepEqual(
    services.map(({ name }) => name),
    ["api-1", "api-2", "tidy-up"],
  );
  assert.equal(first?.liveness?.type, "exec");
  assert.equal(first?.restart.policy, "on-failure");
  assert.ok(second?.run.type === "process");
  assert.equal(second.run.environment["PORT"], "42422");
  assert.equal(task?.schedule?.timeZone, "Europe/Berlin");
});
