// The short way through the schema against zod: the same documents, read the same.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { accept } from "../../src/config/accept.ts";
import { diagnose } from "../../src/config/diagnose.ts";

const scalar = fc.oneof(
  fc.constantFrom("", " ", "a", "5s", "0s", "250ms", "999999h", "5", "-1", "0x10", "1e3", "true", "false"),
  fc.constantFrom("auto", "unlimited", "manual", "task", "ready", "completed", "null", "inherit", "SIGTERM"),
  fc.constantFrom(
    "http://a:1/x",
    "ftp://a",
    "a:80",
    "[::1]:80",
    "a:99999",
    "(",
    "[a-z]+",
    "json",
    "rollback",
  ),
  fc.constantFrom("100ms..10s", "2s..1s", "0s..1s", "5/1m", "0/1m", "64KiB", "1B", "9GiB", "no", "always"),
  fc.constantFrom(0, 1, 3, 80, 1000, 1001, 65_536, -1, 1.5, Number.NaN, Infinity, 2 ** 60),
  fc.constantFrom(true, false, null, undefined),
);
const loose = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(
    fc.constantFrom("a", "condition", "required", "http", "tcp", "exec", "cron", "path", "policy"),
    scalar,
    {
      maxKeys: 2,
      noNullPrototype: true,
    },
  ),
);

/** A map with some of the keys, mostly with fitting values, and now and then with a key that nobody knows. */
function mapOf(
  values: Record<string, fc.Arbitrary<unknown>>,
  requiredKeys: string[] = [],
): fc.Arbitrary<unknown> {
  const mostly = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      fc.oneof({ weight: 60, arbitrary: value }, { weight: 1, arbitrary: loose }),
    ]),
  );
  const known = fc.record(mostly, { requiredKeys, noNullPrototype: true });
  return fc.oneof(
    { weight: 60, arbitrary: known },
    { weight: 1, arbitrary: known.map((map) => ({ ...map, unheardOf: 1 })) },
    { weight: 1, arbitrary: loose },
  );
}

/** A map with any keys. */
function map(values: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  return fc.dictionary(fc.constantFrom("a", "b"), values, { noNullPrototype: true });
}

const duration = fc.constantFrom("5s", "1ms", "2m", "596h");
const texts = fc.array(fc.constantFrom("a", "b", "echo"), { maxLength: 3 });
const truth = fc.constantFrom<unknown>(true, false, "true", "false");
const probe = mapOf({
  http: fc.constant("http://127.0.0.1:1/health"),
  tcp: fc.constantFrom("a:80", "[::1]:80"),
  exec: fc.constantFrom<unknown>(["check"], "check it"),
  notify: fc.constantFrom<unknown>(true, "true"),
  log: fc.constant("ready"),
  logPattern: fc.constant("^up$"),
  interval: duration,
  failureThreshold: fc.constantFrom<unknown>(1, "3"),
});
const dependency = mapOf({ condition: fc.constant("completed"), required: truth, restart: truth });
const policy = fc.constantFrom<unknown>("never", "no", "on-failure", "always", false, "false");
const restart = mapOf({
  policy,
  backoff: fc.constantFrom("100ms..10s", "1s..1s"),
  limit: fc.constantFrom("5/1m", "1/1s"),
  resetAfter: duration,
});
const schedule = mapOf(
  {
    cron: fc.constant("* * * * *"),
    timeZone: fc.constant("UTC"),
    overlap: fc.constantFrom("skip", "queue", "replace"),
  },
  ["cron"],
);
const size = fc.constantFrom("1KiB", "64KB", "1GiB");
const dependencies = map(fc.oneof(fc.constantFrom("ready", "started"), dependency));
const service = mapOf({
  command: fc.oneof(fc.constant(["echo"]), fc.constant("echo hello")),
  entrypoint: fc.constant("./a.ts#A"),
  tenant: fc.constant("a"),
  port: fc.constantFrom<unknown>(7001, "7001", 0),
  kind: fc.constant("task"),
  settings: loose,
  priority: fc.constantFrom<unknown>(0, -5, "7"),
  dependencies: fc.oneof(texts, dependencies),
  critical: truth,
  replicas: fc.constantFrom<unknown>(1, 3, "2"),
  restart: fc.oneof(policy, restart),
  liveness: probe,
  schedule: fc.oneof(fc.constant("@daily"), schedule),
  watch: texts,
  forwardSignals: fc.constantFrom<unknown>([], ["SIGUSR1", "SIGCONT"]),
  notificationFd: fc.constantFrom<unknown>(3, "255"),
  environment: map(fc.constantFrom("1", "x")),
  user: fc.constantFrom("nobody", "0"),
  stdin: fc.constantFrom("null", "inherit", null),
  stopSignal: fc.constantFrom("SIGTERM", "SIGQUIT"),
  stopTimeout: duration,
  startup: probe,
  readiness: fc.oneof(fc.constant("manual"), probe),
});
const runtime = mapOf({
  name: fc.constant("shop"),
  startup: mapOf({ timeout: duration, concurrency: fc.constantFrom<unknown>("unlimited", 4, "4") }),
  shutdown: mapOf({ budget: fc.constantFrom("auto", "20s"), drain: fc.constantFrom("auto", "0s") }),
  log: mapOf({
    format: fc.constantFrom("auto", "json"),
    level: fc.constant("warn"),
    overflow: fc.constantFrom("pause", "drop"),
    ring: size,
    file: fc.oneof(
      fc.constant("a.log"),
      mapOf({ path: fc.constant("a.log"), maxSize: size, keep: fc.constantFrom<unknown>(0, "5") }, ["path"]),
    ),
  }),
  exitCodeFrom: fc.constant("a"),
});
const http = fc.oneof(
  fc.constantFrom<unknown>(false, "false"),
  mapOf({ host: fc.constant("::"), port: fc.constantFrom(0, 8080, 65_535, 65_536) }),
);
const control = mapOf({
  socket: fc.constantFrom<unknown>("a.sock", false, "false"),
  token: fc.constant("abc"),
});
const services = map(service);
const call = mapOf(
  {
    url: fc.constantFrom("http://a/x", "https://a", "svc://stock/x", "svc://stock"),
    method: fc.constantFrom("POST", "GET"),
    headers: map(fc.constantFrom("1", "x")),
  },
  ["url"],
);
const branch = {
  name: fc.constantFrom("a", "b"),
  execute: call,
  compensate: call,
  verify: call,
  timeout: duration,
  retry: mapOf({ attempts: fc.constantFrom<unknown>(1, "3"), backoff: fc.constant("100ms..5s") }),
  inDoubt: fc.constantFrom("idempotent", "verify", "manual"),
  pivot: truth,
};
const step = mapOf({
  ...branch,
  parallel: fc.array(mapOf(branch), { maxLength: 2 }),
  signal: fc.constant("go"),
  sleep: duration,
});
const intent = mapOf(
  {
    input: loose,
    saga: mapOf({ version: fc.constant("2"), timeout: duration, steps: fc.array(step, { maxLength: 2 }) }, [
      "steps",
    ]),
  },
  ["saga"],
);
const store = mapOf({
  driver: fc.constantFrom("sqlite", "memory", "redis"),
  path: fc.constant("a.db"),
  url: fc.constant("redis://a"),
  namespace: fc.constant("shop"),
  lease: mapOf({ ttl: duration }),
  checks: fc.constantFrom("refuse", "warn"),
  replicas: fc.constantFrom<unknown>(0, "1"),
  cluster: fc.constant(["redis://a"]),
  sentinel: mapOf({ master: fc.constant("a"), nodes: fc.constant(["redis://a"]) }, ["master", "nodes"]),
});
const token = mapOf(
  { token: fc.constant("t"), tenant: fc.constant("a:b"), roles: fc.constantFrom([], ["operator"]) },
  ["token"],
);
const jwt = mapOf(
  {
    jwks: fc.constant("https://a/jwks"),
    issuer: fc.constant("a"),
    audience: fc.constant("b"),
    tenantClaim: fc.constant("org"),
  },
  ["jwks", "issuer", "audience"],
);
const plane = mapOf({
  auth: mapOf({ tokens: fc.array(token, { maxLength: 2 }), jwt }),
  sessions: mapOf({ idle: duration, absolute: duration }),
  limits: mapOf({ body: size, key: fc.constantFrom<unknown>(1, "512"), page: fc.constant(10) }),
});
/** What a config without them has from its built-in layer is always there. */
const document = mapOf({ include: texts, runtime, control }).chain((rest) =>
  fc.tuple(http, services).map(([server, all]) => ({ http: server, services: all, ...(rest as object) })),
);

const discovery = mapOf({
  advertise: fc.constantFrom("10.0.0.5", "[::1]", "10.0.0.5:80"),
  registry: mapOf({ ttl: duration, heartbeat: duration }),
});
const withPlane = mapOf({ store, plane, discovery, intents: map(intent) }).map((rest) => ({
  http: false,
  services: {},
  ...(rest as object),
}));

for (const [what, documents] of Object.entries({ services: document, "a plane": withPlane })) {
  test(`accept takes what zod takes of ${what}, makes the same of it, and takes nothing else`, () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(documents, (value) => {
        const judged = diagnose(value);
        seen["document" in judged ? "taken" : "refused"]++;
        assert.deepEqual(accept(value), "document" in judged ? judged.document : undefined);
      }),
      { numRuns: 3000 },
    );
    assert.ok(Math.min(seen.taken, seen.refused) > 300, `one-sided: ${JSON.stringify(seen)}`);
  });
}
