// The keys `store`, `plane` and `tenant`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { printConfig } from "../../src/config/print.ts";
import { memoryConfig } from "../fakes/config-files.ts";
import { configOf, problemsOf, serviceOf } from "./reading.ts";

const SERVICES = "services: { a: { command: [x] } }\n";

const DEFAULT = {
  sessions: { idleMs: 1_800_000, absoluteMs: 86_400_000 },
  retentionMs: 604_800_000,
  limits: { bodyBytes: 1_048_576, keyBytes: 512, pageItems: 1000 },
};

test("without `store` and `plane` there is no plane", () => {
  assert.equal(configOf(SERVICES).plane, undefined);
  assert.deepEqual(configOf(SERVICES).intents, []);
});

test("either of them is a plane: sqlite, in the state folder", () => {
  const { stateFolder } = configOf(SERVICES);
  const plane = { store: { driver: "sqlite", path: `${stateFolder}/haraka.db` }, ...DEFAULT };
  for (const line of ["plane: {}", "store: {}", "store: { driver: sqlite }\nplane: {}"]) {
    assert.deepEqual(configOf(`${line}\n${SERVICES}`).plane, plane);
  }
  const elsewhere = configOf(`store: { path: /var/lib/a.db }\n${SERVICES}`).plane?.store;
  assert.deepEqual(elsewhere, { driver: "sqlite", path: "/var/lib/a.db" });
  assert.deepEqual(configOf(`store: { driver: memory }\n${SERVICES}`).plane?.store, { driver: "memory" });
});

test("plane takes tokens, a key set, times of sessions and limits", () => {
  const yaml = `plane:
  auth:
    tokens: [{ token: "\${SHOP_TOKEN}", tenant: "a:b", roles: [operator] }, { token: plain }]
    jwt: { jwks: "https://a/jwks", issuer: https://a, audience: shop }
  sessions: { idle: 5m, absolute: 1h }
  limits: { body: 64KiB, key: 64, page: "10" }
${SERVICES}`;
  const { plane } = configOf({ files: { "runtime.yaml": yaml }, env: { SHOP_TOKEN: "s3cret-t" } });
  assert.deepEqual(plane?.auth, {
    tokens: [
      { token: "s3cret-t", tenant: "a:b", roles: ["operator"] },
      { token: "plain", tenant: "default", roles: [] },
    ],
    jwt: {
      jwks: "https://a/jwks",
      issuer: "https://a",
      audience: "shop",
      tenantClaim: "tenant",
      rolesClaim: "roles",
    },
  });
  assert.deepEqual(plane?.sessions, { idleMs: 300_000, absoluteMs: 3_600_000 });
  assert.deepEqual(plane?.limits, { bodyBytes: 65_536, keyBytes: 64, pageItems: 10 });
});

test("a token is not shown, wherever it stands", () => {
  const yaml = `plane: { auth: { tokens: [{ token: plain-token, tenant: a }] } }\nservices: { a: { command: [x, plain-token] } }\n`;
  const printed = printConfig(memoryConfig({ files: { "runtime.yaml": yaml } }));
  assert.doesNotMatch(printed, /plain-token/);
  assert.match(printed, /token: \(redacted\)\n\s+tenant: a\n/);
});

test("a service may be somebody on the plane", () => {
  assert.equal(serviceOf("services: { a: { command: [x], tenant: shop } }").tenant, "shop");
  assert.equal(serviceOf(SERVICES).tenant, undefined);
});

const NO_REDIS =
  "1:18 store.driver: this version does not have `redis` yet: use `sqlite`, or `memory` for tests";

/** A first line, and what is said of it. */
const REFUSED: [line: string, ...problems: string[]][] = [
  ["store: { driver: redis, url: redis://a, namespace: shop, lease: { ttl: 5s }, checks: warn }", NO_REDIS],
  ["store: { driver: redis, sentinel: { master: m, nodes: [redis://a] }, replicas: 1 }", NO_REDIS],
  [
    "store: { url: redis://a, checks: warn }",
    "1:10 store.url: `url` is for `driver: redis`",
    "1:26 store.checks: `checks` is for `driver: redis`",
  ],
  ["store: { driver: memory, path: a.db }", "1:26 store.path: `path` is for `driver: sqlite`"],
  ["store: { driver: mongo }", '1:18 store.driver: expected `sqlite` or `memory` or `redis`, got "mongo"'],
  [
    "plane: { auth: {} }",
    "1:10 plane.auth: nobody could use the plane: add `tokens` or `jwt`, or leave `auth` out",
  ],
  [
    "plane: { auth: { tokens: [{ token: t }, { token: t, tenant: b }] } }",
    "1:50 plane.auth.tokens[1].token: this token is listed twice",
  ],
  [
    'plane: { auth: { tokens: [{ token: "" }] } }',
    '1:36 plane.auth.tokens[0].token: expected it not to be empty, got ""',
  ],
  [
    "plane: { auth: { jwt: { jwks: https://a } } }",
    "1:18 plane.auth.jwt.issuer: expected text, got nothing",
    "1:18 plane.auth.jwt.audience: expected text, got nothing",
  ],
  ["plane: { limits: { page: 0 } }", "1:26 plane.limits.page: expected at least 1, got 0"],
];

for (const [line, ...problems] of REFUSED) {
  test(`loadConfig refuses ${line}`, () => {
    assert.deepEqual(
      problemsOf(`${line}\n${SERVICES}`),
      problems.map((problem) => `runtime.yaml:${problem}`),
    );
  });
}
