import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { printConfig } from "../../src/config/print.ts";
import { memoryConfig, type MemoryConfig } from "../fakes/config-files.ts";
import { problemsOf } from "./reading.ts";

/** A config without what another file cannot say: where it stands, what was named, and entrypoints as they were written. */
function meaning({ runtime, http, control, plane, discovery, intents, services }: Config): unknown {
  const unplaced = services.map((service) => ({ ...service, position: undefined }));
  const resolved = unplaced.map(({ run, ...service }) => ({
    ...service,
    run: { ...run, entrypoint: undefined },
  }));
  return {
    plane,
    discovery,
    intents,
    runtime,
    http,
    control: { ...control, socketNamed: undefined },
    services: resolved,
  };
}

function assertRoundTrip(given: MemoryConfig): void {
  const source = memoryConfig(given);
  const printed = printConfig(source);
  const again = memoryConfig({ files: { "elsewhere/printed.yaml": printed } });
  assert.deepEqual(meaning(loadConfig(again)), meaning(loadConfig(source)), printed);
  assert.equal(printConfig(again), printed);
}

test("printConfig prints a config that means the same", () => {
  const yaml = `
control: { socket: a.sock }
runtime: { log: { overflow: drop, ring: 1500B, file: { path: a.log, maxSize: 3KiB } }, name: "a: b", startup: { concurrency: 3 }, shutdown: { budget: 1500ms, drain: 0s }, exitCodeFrom: job }
include: ["*/service.yaml"]
store: { path: a.db }
plane: { auth: { jwt: { jwks: "https://a/", issuer: i, audience: a } }, sessions: { idle: 90s }, limits: { body: 1500B, key: 64 } }
intents:
  order.place:
    input: { type: object, properties: { password: { type: string, pattern: "^$\${x}$" } }, additionalProperties: false }
    saga:
      timeout: 2h
      version: 007
      steps:
        - name: reserve
          execute: { url: "svc://stock/reserve", headers: { X-Version: 1.0 } }
          compensate: { url: "http://127.0.0.1:7001/release", method: DELETE }
          verify: { url: "http://127.0.0.1:7001/lookup", method: GET }
          timeout: 1500ms
          retry: { attempts: 9, backoff: 1s..1m }
          inDoubt: verify
        - parallel: [{ name: mail, execute: { url: "http://a/" } }, { name: ledger, execute: { url: "http://a/" } }]
        - { name: approval, signal: approved, timeout: 1h }
        - { name: waiting, signal: approved }
        - { name: cooling, sleep: 10s }
        - { name: charge, execute: { url: "http://a/" }, pivot: true }
discovery: { advertise: "[::1]", registry: { ttl: 90s }, traefik: { redis: { url: "redis://redis:6379", rootKey: t } } }
services:
  a:
    tenant: "a:b"
    port: 7001
    routes:
      - { rule: "PathRegexp(\`^/x$$\`)", priority: 7, entryPoints: [web], middlewares: [a@file], tls: { options: o } }
      - { rule: "Path(\`/y\`)", tls: true, port: 9 }
      - { rule: "Path(\`/z\`)", url: "http://10.0.0.7:80" }
    command: sh -c 'echo $$HOME'
    cwd: .
    user: 022
    environment: { OCTAL: 017, TRUTH: True, DOLLAR: "$\${X}", EMPTY: "", "NULL": "null", LINES: "a\\nb\\n", NAME: "\${NAME}" }
    envFile: a.env
    dependencies: { job: completed, m: { condition: started, required: false, restart: true } }
    restart: { policy: always, backoff: 1500ms..2m, limit: 7/90s, resetAfter: 1m }
    liveness: { exec: "check 'a b' '$$HOME'" }
    notificationFd: 9
    forwardSignals: [SIGUSR1]
    watch: ["src/**/*.ts"]
    readiness: { tcp: "[::1]:80", interval: 250ms }
    startup: { notify: true }
    profiles: [dev]
    stopSignal: SIGQUIT
    critical: false
  job: { command: "a | b", shell: true, kind: task, stopTimeout: 90s }
  timed: { command: t, kind: task, restart: on-failure, schedule: { cron: "*/5 * * * *", timeZone: UTC, overlap: queue } }
  told: { command: t, notificationFd: 3 }
  matched: { command: t, startup: { logPattern: "^up$" } }
  shard:
    command: [shard, "808\${HARAKA_REPLICA}", "1"]
    replicas: 12
    priority: "\${HARAKA_REPLICA}"
    stopTimeout: "\${HARAKA_REPLICA}s"
    environment: { ID: "\${HARAKA_REPLICA}", SAME: "12" }
    dependencies: ["peer-\${HARAKA_REPLICA}"]
  peer: { command: peer, replicas: 12, readiness: { tcp: "a:80\${HARAKA_REPLICA}" } }
  m:
    entrypoint: ./m.ts#M
    readiness: manual
    priority: -1.5
    settings: { yes: "yes", n: 0x1F, none: null, inf: .inf, date: 2001-01-01, list: [1, "1", { a: [] }], "$X": "\${NAME}" }
  plain: { entrypoint: ./plain.ts, readiness: { http: "http://127.0.0.1:1/" } }
`;
  assertRoundTrip({
    files: {
      "conf/runtime.yaml": yaml,
      "conf/a.env": "FROM_FILE='#1'\n",
      "conf/inner/service.yaml": "command: [inner]\ncwd: .\nreadiness: { log: up }\n",
    },
    env: { NAME: "x ${y} $z" },
  });
  assertRoundTrip({
    files: { "a.yaml": "http: false\ncontrol: { socket: false }\nservices: { a: { command: x } }" },
  });
});

/** Not what cannot stand in a config, and not what sounds like a secret. */
const unfit = /\\u0000|__proto__|token|pass|secret|credential|key|:\/\//i;
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("022", "true", "~", "$", "${A}", "$$", "- a", "a: b", "#", "\t", "\r\n", " a ", ""),
);
const services = fc.record({
  a: fc.record({
    command: fc.array(text).map((words) => ["x", ...words]),
    environment: fc.dictionary(fc.stringMatching(/^[A-Z]{1,5}_$/), text),
  }),
  b: fc.record({ entrypoint: fc.constant("./b.ts"), settings: fc.jsonValue({ maxDepth: 3 }) }),
});

test("printConfig prints any arguments, variables and settings so that they are read as they are", () => {
  const property = fc.property(services, (all) => {
    const json = JSON.stringify({ services: all }).replaceAll("$", "$$$$");
    fc.pre(!unfit.test(json));
    assertRoundTrip({ files: { "a.yaml": json } });
  });
  fc.assert(property, { numRuns: 200 });
});

test("printConfig hides every secret", () => {
  const yaml = `
http: { host: "\${HOST_TOKEN}" }
services:
  token:
    command:
      [serve, --password, "p4ss", --token=t0ken, -k, shown, "http://me:pw@host/", "\${file:secret}", "<\${file:secret}>", "\${DB_PASSWORD}"]
    cwd: "/x/\${file:secret}"
    environment: { API_KEY: "k3y", KEYBOARD: shown, URL: "redis://:pw@host", COPY: "\${DB_PASSWORD}", AUTH_TOKEN: "" }
    readiness: { http: "http://me:pw@host/?t=\${DB_PASSWORD}" }
  module:
    entrypoint: ./m.ts
    dependencies: { token: started }
    settings:
      password: "p4ss"
      nested: { apiKey: 12345, secrets: { first: one1, others: [two2, three3] }, tokens: [four4], enabled: true }
      url: "amqp://me:pw@host"
      public: shown
`;
  const files = { "runtime.yaml": yaml, secret: "from-a-file\n" };
  const printed = printConfig(
    memoryConfig({ files, env: { DB_PASSWORD: "d8passw0rd", HOST_TOKEN: "h0st" } }),
  );
  for (const secret of [
    "p4ss",
    "t0ken",
    "pw@",
    "from-a-file",
    "d8passw0rd",
    "k3y",
    "12345",
    "one1",
    "two2",
    "three3",
    "four4",
    "h0st",
  ]) {
    assert.ok(!printed.includes(secret), `${secret} is in\n${printed}`);
  }
  for (const line of [
    "cwd: /x/(redacted)",
    "- <(redacted)>",
    "- --token=(redacted)",
    "KEYBOARD: shown",
    "public: shown",
    "- shown",
    'AUTH_TOKEN: ""',
    "enabled: true",
    "condition: started",
    "URL: redis://(redacted)@host",
    "http: http://(redacted)@host/?t=(redacted)",
  ]) {
    assert.ok(printed.includes(line), `${line} is not in\n${printed}`);
  }
});

test("no problem shows a secret, be it short, long or part of a text", () => {
  const yaml = `
http: { port: "\${SHORT_TOKEN}", idleTimeout: "\${LONG_TOKEN}" }
services:
  a: { command: [x], kind: "\${file:secret}", priority: "pre-\${LONG_TOKEN}", stopTimeout: "\${DIGITS_KEY}" }
  b: { command: [x], envFile: "\${file:secret}", dependencies: ["\${file:secret}"] }
`;
  const env = { SHORT_TOKEN: "abc", LONG_TOKEN: "l0ng".repeat(50), DIGITS_KEY: "987" };
  assert.deepEqual(problemsOf({ files: { "runtime.yaml": yaml, secret: "s3cret" }, env }), [
    'runtime.yaml:2:15 http.port: expected a number, got "(redacted)" (from ${SHORT_TOKEN})',
    'runtime.yaml:2:46 http.idleTimeout: expected a duration such as 250ms, 5s, 2m or 1h, got "(redacted)" (from ${LONG_TOKEN})',
    'runtime.yaml:4:28 services.a.kind: expected `task`, got "(redacted)" (from ${file:secret})',
    'runtime.yaml:4:56 services.a.priority: expected a number, got "pre-(redacted)" (from pre-${LONG_TOKEN})',
    'runtime.yaml:4:90 services.a.stopTimeout: expected a duration such as 250ms, 5s, 2m or 1h, got "(redacted)" (from ${DIGITS_KEY})',
    'runtime.yaml:5:31 services.b.envFile: cannot read "(redacted)": no such file',
    "runtime.yaml:5:64 services.b.dependencies[0]: Unknown dependency '(redacted)' for service 'b'",
  ]);
});
