// What the library refuses of those who write in code what a config would not let them, at the line that says it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { edge } from "../../src/edge.ts";
import { Orchestrator, Service, TimeoutError, UsageError } from "../../src/mod.ts";
import { testClock } from "../../src/testing.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };

class Named extends Service<string> {
  constructor(name: string) {
    super(name);
    this.name = name;
  }
}

const orchestrator = () => new Orchestrator({ log, exit: false });

/** Throws a `UsageError` that says this. */
function refuses(attempt: () => unknown, says: string | RegExp): void {
  assert.throws(attempt, (error) => {
    assert.ok(error instanceof UsageError, String(error));
    if (typeof says === "string") assert.equal(error.message, says);
    else assert.match(error.message, says);
    return true;
  });
}

describe("use", () => {
  for (const [options, says] of [
    [{ priority: Number.NaN }, "priority is NaN; expected a finite number"],
    [{ priority: Infinity }, "priority is Infinity; expected a finite number"],
    [{ priority: "5" }, 'priority is "5"; expected a finite number'],
    [{ prioritee: 5 }, 'there is no option "prioritee"; did you mean "priority"?'],
    [
      { constructor: 5 },
      /^cannot use 'a': there is no option "constructor"; there is priority, dependencies, /,
    ],
    [{ startTimeoutMs: -1 }, "startTimeoutMs is -1; expected milliseconds, from 0 up to 2147483647"],
    [
      { stopTimeoutMs: Infinity },
      "stopTimeoutMs is Infinity; expected milliseconds, from 0 up to 2147483647",
    ],
    [{ critical: "no" }, 'critical is "no"; expected true or false'],
    [{ dependencies: "db" }, 'dependencies is "db"; expected a list'],
    [{ dependencies: ["db", 1] }, "dependencies[1].service is 1; expected a text"],
    [
      { dependencies: [{ service: "db", when: "ready" }] },
      'there is no option "dependencies[0].when"; there is service, condition, required, restart',
    ],
    [
      { dependencies: [{ service: "db", condition: "healthy" }] },
      'dependencies[0].condition is "healthy"; expected "started" or "ready" or "completed"',
    ],
    [{ restart: { policy: "no" } }, 'restart.policy is "no"; expected "never" or "on-failure" or "always"'],
    [{ restart: { backoff: { min: 5 } } }, 'there is no option "restart.backoff.min"; did you mean "minMs"?'],
    [
      { restart: { backoff: { maxMs: "1s" } } },
      'restart.backoff.maxMs is "1s"; expected milliseconds, from 0 up to 2147483647',
    ],
    [
      { restart: { limit: { counts: 3 } } },
      'there is no option "restart.limit.counts"; did you mean "count"?',
    ],
    [{ restart: { limit: { count: 0 } } }, "restart.limit.count is 0; expected a whole number, 1 or more"],
    [{ restart: "always" }, 'restart is "always"; expected an object'],
  ] as const) {
    test(`refuses ${JSON.stringify(options)}`, () => {
      const attempt = () => orchestrator().use(new Named("a"), options as object);
      refuses(attempt, typeof says === "string" ? `cannot use 'a': ${says}` : says);
    });
  }

  test("takes every option, those left undefined included", () => {
    orchestrator().use(new Named("a"), {
      priority: -1.5,
      dependencies: ["db", { service: "cache", condition: "started", required: false, restart: true }],
      critical: false,
      task: false,
      restart: { policy: "always", resetAfterMs: 0, backoff: { minMs: 5 }, limit: {} },
      startTimeoutMs: 0,
      ...({ stopTimeoutMs: undefined } as object),
    });
  });

  for (const name of ["Bad Name", "Api", "1st", "a".repeat(64)]) {
    test(`refuses the name "${name}", as a config does`, () => {
      refuses(
        () => orchestrator().use(new Named(name)),
        `cannot use a service called "${name}": a name starts with a letter and has up to 63 lower-case letters, digits, \`.\`, \`_\` and \`-\``,
      );
    });
  }

  test("refuses one instance under two names", () => {
    const orch = orchestrator();
    const service = new Named("a");
    orch.use(service);
    service.name = "b";
    refuses(() => orch.use(service), "cannot use 'b': the same object is in use as 'a'; make another one");
  });
});

test("Orchestrator refuses an option that it does not know", () => {
  refuses(
    () => new Orchestrator({ exist: false } as object),
    'cannot make an Orchestrator: there is no option "exist"; did you mean "exit"?',
  );
  refuses(
    () => new Orchestrator({ readiness: "auto" } as object),
    'cannot make an Orchestrator: readiness is "auto"; expected "manual"',
  );
});

for (const [options, says] of [
  [
    { store: 5 },
    'store is 5; expected a URL, as "sqlite:data/app.db" or "redis://127.0.0.1:6379/0", or "memory", or an object',
  ],
  ...["redis:", "redis://ann:secret@here?name=shop", "redis://here/shop", "postgres://here", "sqlite:"].map(
    (store) =>
      [
        { store },
        `store is "${store.replace("ann:secret@", "")}"; expected "sqlite:PATH", as "sqlite:data/app.db", "redis://HOST:PORT/0?namespace=NAME", or "memory"`,
      ] as [object, string],
  ),
  [{ store: { driver: "postgres" } }, 'store.driver is "postgres"; expected "sqlite" or "redis" or "memory"'],
  [
    { store: { driver: "redis" } },
    "store.driver: say where Redis is: `url`, as redis://127.0.0.1:6379/0, `cluster` or `sentinel`",
  ],
  [
    { store: { driver: "redis", url: "http://here" } },
    "store.url: expected redis://HOST:PORT, or rediss:// for TLS, USER:PASSWORD@ before the host",
  ],
  [{ store: { driver: "sqlite", url: "redis://here" } }, "store.url: `url` is for `driver: redis`"],
  [
    { store: { driver: "redis", url: "redis://here", replicas: -1 } },
    "store.replicas is -1; expected a whole number from 0 up to 100",
  ],
  [
    { store: { driver: "redis", url: "redis://here", lease: { ttl: 5 } } },
    'store.lease.ttl is 5; expected a duration such as "5s"',
  ],
  [{ store: { driver: "redis", sentinel: { master: "shop" } } }, "store.sentinel has no nodes"],
  [
    { store: { driver: "redis", cluster: [] } },
    "store.cluster is []; expected a list of URLs, as redis://127.0.0.1:6379",
  ],
  [
    { store: "redis://here?namespace={shop}" },
    "store.namespace: a namespace has no braces: they say where in a cluster a key lies",
  ],
  [{ discovery: { traefik: {} } }, 'there is no option "discovery.traefik"; there is advertise, registry'],
  [
    { discovery: { advertise: "" } },
    'discovery.advertise is ""; expected a name or an address such as "10.0.0.5", without a port',
  ],
  [
    { discovery: { registry: { ttl: 15 } } },
    'discovery.registry.ttl is 15; expected a duration such as "15s"',
  ],
  [
    { discovery: { registry: { ttl: "5s" } } },
    "discovery.registry.heartbeat: one that is lost would be the end of an instance: use at most half of `ttl`, which is 5s",
  ],
  [{ store: { drivr: "sqlite" } }, 'there is no option "store.drivr"; did you mean "driver"?'],
  [{ store: { driver: "memory", path: "a.db" } }, "store.path: `path` is for `driver: sqlite`"],
  [{ store: { path: "" } }, 'store.path is ""; expected a text that is not empty'],
  [{ plane: true }, "plane is true; expected an object"],
  [{ plane: { sesions: {} } }, 'there is no option "plane.sesions"; did you mean "sessions"?'],
  [{ plane: { auth: {} } }, 'there is no option "plane.auth"; there is sessions, retention, limits'],
  [{ plane: { retention: 7 } }, 'plane.retention is 7; expected a duration such as "168h", or "forever"'],
  [
    { plane: { retention: "1h" } },
    "plane.retention: a key is to be known for a day at least: write 24h or more",
  ],
  [{ plane: { sessions: { idle: 5 } } }, 'plane.sessions.idle is 5; expected a duration such as "30m"'],
  [
    { plane: { limits: { body: "1GB", key: 0 } } },
    "plane.limits.key is 0; expected a whole number from 1 up to 65536",
  ],
  [
    { plane: { limits: { body: "2GiB" } } },
    'plane.limits.body is "2GiB"; expected a size from 1KiB up to 1GiB such as "1MiB"',
  ],
] as const) {
  test(`Orchestrator refuses ${JSON.stringify(options)}`, () => {
    refuses(() => new Orchestrator(options as object), `cannot make an Orchestrator: ${says}`);
  });
}

for (const [auth, says] of [
  [{ tokens: [{}] }, "plane.auth.tokens[0] has no token"],
  [{ tokens: ["sesame"] }, "plane.auth.tokens[0] is no object; expected one"],
  [{ tokens: [{ token: "" }] }, 'plane.auth.tokens[0].token is ""; expected a text that is not empty'],
  [
    { tokens: [{ token: "a", roles: ["root"] }] },
    'plane.auth.tokens[0].roles is ["root"]; expected a list of "operator"',
  ],
  [{ tokens: [{ token: "a" }, { token: "a" }] }, "plane.auth.tokens.1.token: this token is listed twice"],
  [{}, "plane.auth: nobody could use the plane: add `tokens` or `jwt`, or leave `auth` out"],
  [{ jwt: { jwks: "here" } }, 'plane.auth.jwt.jwks is "here"; expected an http: or https: URL'],
  [{ jwt: { jwks: "https://here/keys" } }, "plane.auth.jwt has no issuer"],
] as const) {
  test(`edge refuses plane.auth ${JSON.stringify(auth)}`, () => {
    refuses(
      () => edge({ name: "market", services: [], log, store: "memory", plane: { auth: auth as object } }),
      `cannot make an edge handler: ${says}`,
    );
  });
}

test("a service may not have the name of a part of the plane", () => {
  const says = "cannot run the service 'wal': with a plane that is a part of it; rename it";
  refuses(() => new Orchestrator({ log, exit: false, plane: {} }).use(new Named("wal")), says);
  refuses(() => edge({ name: "market", services: [new Named("wal")], log, store: "memory" }), says);
  orchestrator().use(new Named("wal"));
});

test("edge refuses what use refuses, and options that it does not know", () => {
  const made = (...services: Service<string>[]) => edge({ name: "market", services, log });
  refuses(() => made(new Named("Bad Name")), /^cannot use a service called "Bad Name": /);
  refuses(() => made(new Named("a"), new Named("a")), "cannot use 'a': there is a service of that name");
  refuses(
    () => edge({ name: "market", services: [], logs: log } as { name: string; services: [] }),
    'cannot make an edge handler: there is no option "logs"; did you mean "log"?',
  );
});

test("waitForAllReady that gives up before run says that run has not been called", async () => {
  const clock = testClock();
  const orch = new Orchestrator({ log, clock, exit: false });
  orch.use(new Named("a"));
  const waiting = assert.rejects(orch.waitForAllReady({ timeoutMs: 10 }), (error) => {
    assert.ok(error instanceof TimeoutError);
    assert.equal(
      error.message,
      "not all services are ready: 10ms have passed; waiting for run, which has not been called",
    );
    return true;
  });
  await clock.advance(10);
  await waiting;
});
