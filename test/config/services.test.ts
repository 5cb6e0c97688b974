// Everything that a service can have wrong, as the one file it stands in would be told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { problemsOf } from "./reading.ts";

/** A service `a` and what is said about it, with its place in the file. */
const SERVICE: [yaml: string, ...problems: string[]][] = [
  ["", "2:3 services.a: expected a map, got nothing"],
  ["- x", "2:3 services.a: expected a map, got a list"],
  ["priority: 1", "2:3 services.a: a service needs `command` (a process) or `entrypoint` (a module)"],
  ["command:", "3:5 services.a.command: expected text or a list, got nothing"],
  ["command: 5", "3:14 services.a.command: expected text or a list, got 5"],
  ["command: {}", "3:5 services.a.command: expected text or a list, got a map"],
  ["command: []", "3:5 services.a.command: expected it not to be empty, got a list"],
  ["command: ''", '3:14 services.a.command: expected it not to be empty, got ""'],
  ["command: [x, [y]]", "3:18 services.a.command[1]: expected text, got a list"],
  ["command: [x, ~]", "3:18 services.a.command[1]: expected text, got nothing"],
  ['command: [x, "a\\0b"]', "3:18 services.a.command[1]: a text cannot have NUL characters"],
  ["command: ['', x]", "3:15 services.a.command[0]: the first argument is what to run, and is empty"],
  [
    "command: [x]\nshell: true",
    "3:5 services.a.command: with `shell: true` the command is one text, got a list",
  ],
  [
    "command: x\nentrypoint: ./a.ts",
    "4:5 services.a.entrypoint: `entrypoint` and `command` exclude each other: a service is a module or a process",
  ],
  [
    "command: x\nsettings: { a: 1 }",
    "4:5 services.a.settings: `settings` are for modules; give a process `environment` or arguments",
  ],
  ["entrypoint: 5", "3:17 services.a.entrypoint: expected text, got 5"],
  ...["'#A'", "'./a.ts#'"].map((text): [string, string] => [
    `entrypoint: ${text}`,
    `3:17 services.a.entrypoint: expected an entrypoint such as "./api.ts" or "./api.ts#Api", got "${text.slice(1, -1)}"`,
  ]),
  ...[
    "environment: {}",
    "envFile: e",
    "cwd: .",
    "user: u",
    "group: g",
    "shell: false",
    "stdin: ~",
    "stopSignal: SIGINT",
  ].map((line): [string, string] => {
    const key = line.split(":")[0];
    return [
      `entrypoint: ./a.ts\n${line}`,
      `4:5 services.a.${key}: \`${key}\` is for processes; a module shares this process`,
    ];
  }),
  ...["log: x", "logPattern: x"].map((line): [string, string] => {
    const key = line.split(":")[0];
    return [
      `entrypoint: ./a.ts\nstartup: { ${line} }`,
      `4:16 services.a.startup.${key}: \`${key}\` is for processes; a module has no output of its own`,
    ];
  }),
];

/** The same, below `command: [x]` and before the services `worker` and `job`, which is a task. */
const KEY: [yaml: string, ...problems: string[]][] = [
  ["priority: high", '4:15 services.a.priority: expected a number, got "high"'],
  ["priority: .inf", "4:15 services.a.priority: expected a number, got Infinity"],
  ["priority: ' '", '4:15 services.a.priority: expected a number, got " "'],
  ["critical: yes", '4:15 services.a.critical: expected true or false, got "yes"'],
  ["critical: 1", "4:15 services.a.critical: expected true or false, got 1"],
  ["profiles: dev", '4:15 services.a.profiles: expected a list, got "dev"'],
  ["environment: [A=1]", "4:5 services.a.environment: expected a map, got a list"],
  ["environment: { A: ~ }", "4:20 services.a.environment.A: expected text, got nothing"],
  [
    "environment: { A=B: c }",
    '4:20 services.a.environment.A=B: cannot name a variable "A=B": it is empty or has a "="',
  ],
  [
    "environment: { '': c }",
    '4:20 services.a.environment.: cannot name a variable "": it is empty or has a "="',
  ],
  ["environment: { __proto__: c }", '4:31 services.a.environment.__proto__: "__proto__" cannot be a key'],
  ["envFile: none.env", '4:14 services.a.envFile: cannot read "none.env": no such file'],
  ["user: ''", '4:11 services.a.user: expected it not to be empty, got ""'],
  ["cwd: [x]", "4:5 services.a.cwd: expected text, got a list"],
  ["stdin: pipe", '4:12 services.a.stdin: expected `null` or `inherit`, got "pipe"'],
  [
    "stopSignal: SIGKIL",
    '4:17 services.a.stopSignal: expected `SIGTERM` or `SIGINT` or `SIGQUIT` or `SIGHUP` or `SIGUSR1` or `SIGUSR2` or `SIGWINCH` or `SIGABRT` or `SIGKILL`, got "SIGKIL"; did you mean "SIGKILL"?',
  ],
  [
    "stopTimeout: 5",
    "4:18 services.a.stopTimeout: expected a duration such as 250ms, 5s, 2m or 1h, got 5 without a unit: write 5s or 5ms",
  ],
  ...["5 s", "1.5s", "-1s", "1d", "s", ""].map((text): [string, string] => [
    `stopTimeout: '${text}'`,
    `4:18 services.a.stopTimeout: expected a duration such as 250ms, 5s, 2m or 1h, got "${text}"`,
  ]),
  ["startTimeout: 0s", '4:19 services.a.startTimeout: expected more than 0s, got "0s"'],
  ["startTimeout: 597h", '4:19 services.a.startTimeout: expected at most 596h, got "597h"'],
  ["kind: service", '4:11 services.a.kind: expected `task`, got "service"'],
  ["kind: Task", '4:11 services.a.kind: expected `task`, got "Task"; did you mean "task"?'],
  ["readiness: auto", '4:16 services.a.readiness: expected `manual` or a map, got "auto"'],
  [
    "readiness: manual",
    "4:16 services.a.readiness: `manual` is for modules, which can call `markReady()`: use a probe",
  ],
  [
    "readiness: { log: x }\nkind: task",
    "4:5 services.a.readiness: a task is never ready, it is done when it ends: leave it out",
  ],
  [
    "readiness: {}",
    "4:5 services.a.readiness: a probe has one of http, tcp, exec, notify, log, logPattern; got none of them",
  ],
  [
    "startup: { tcp: 'a:1', log: x }",
    "4:5 services.a.startup: a probe has one of http, tcp, exec, notify, log, logPattern; got tcp and log",
  ],
  ...["a", "a:b", ":80", "a b:80", "::1:80"].map((text): [string, string] => [
    `readiness: { tcp: '${text}' }`,
    `4:23 services.a.readiness.tcp: expected "host:port" such as "127.0.0.1:6379", got "${text}"`,
  ]),
  ...["a:0", "a:65536"].map((text): [string, string] => [
    `readiness: { tcp: '${text}' }`,
    `4:23 services.a.readiness.tcp: expected a port from 1 to 65535, got "${text}"`,
  ]),
  ...["localhost:80", "ftp://a", "http://", "http://a:99999"].map((text): [string, string] => [
    `readiness: { http: '${text}' }`,
    `4:24 services.a.readiness.http: expected a URL such as "http://127.0.0.1:8080/health", got "${text}"`,
  ]),
  ...["(", ""].map((text): [string, string] => [
    `readiness: { logPattern: '${text}' }`,
    `4:30 services.a.readiness.logPattern: expected a regular expression, got "${text}"`,
  ]),
  [
    "readiness: { log: x, interval: 0s }",
    '4:36 services.a.readiness.interval: expected more than 0s, got "0s"',
  ],
  [
    "readiness: { log: x, failureThreshold: 0 }",
    "4:44 services.a.readiness.failureThreshold: expected at least 1, got 0",
  ],
  [
    "readiness: { log: x, failureThreshold: 1.5 }",
    "4:44 services.a.readiness.failureThreshold: expected a whole number, got 1.5",
  ],
  ["dependencies: b", '4:19 services.a.dependencies: expected a list or a map, got "b"'],
  ["dependencies: [[b]]", "4:20 services.a.dependencies[0]: expected text, got a list"],
  ["dependencies: [x]", "4:20 services.a.dependencies[0]: Unknown dependency 'x' for service 'a'"],
  [
    "dependencies: [toString]",
    "4:20 services.a.dependencies[0]: Unknown dependency 'toString' for service 'a'",
  ],
  [
    "dependencies: [wrker]",
    "4:20 services.a.dependencies[0]: Unknown dependency 'wrker' for service 'a'; did you mean \"worker\"?",
  ],
  ["dependencies: [worker, worker]", '4:28 services.a.dependencies[1]: "worker" is listed twice'],
  [
    "dependencies: { worker: redy }",
    '4:29 services.a.dependencies.worker: expected `started` or `ready` or `completed` or a map, got "redy"; did you mean "ready"?',
  ],
  [
    "dependencies: { worker: completed, job: { condition: ready, required: 1 }, none: ready }",
    '4:29 services.a.dependencies.worker: "worker" is not a task and never `completed`: use `ready` or `started`',
    "4:75 services.a.dependencies.job.required: expected true or false, got 1",
    "4:80 services.a.dependencies.none: Unknown dependency 'none' for service 'a'",
  ],
  [
    "dependencies: { job: ready }",
    '4:26 services.a.dependencies.job: "job" is a task and never `ready`: use `completed`',
  ],
];

const inService = (yaml: string) => `services:\n  a:\n${yaml.replace(/^/gm, "    ")}\n`;
const OTHERS = "  worker: { command: [w] }\n  job: { command: [j], kind: task }\n";
const REFUSED = [
  ...SERVICE.map(([yaml, ...problems]) => ({ yaml, config: inService(yaml), problems })),
  ...KEY.map(([yaml, ...problems]) => ({
    yaml,
    config: inService(`command: [x]\n${yaml}`) + OTHERS,
    problems,
  })),
];

for (const { yaml, config, problems } of REFUSED) {
  test(`loadConfig refuses a service with ${JSON.stringify(yaml)}`, () => {
    assert.deepEqual(
      problemsOf(config),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}
