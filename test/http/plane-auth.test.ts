// Who may ask the plane: by where a request comes from, by token, by JWT; and that whoever may not is told no more than it must be.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { JwtAuth } from "../../src/http/auth-jwt.ts";
import { SYSTEM_TENANT } from "../../src/ports/store.ts";
import { type Ask, LOCAL, peer, planeRig } from "./plane-rig.ts";

const NOT_SET = "plane.auth is not set, so only loopback is served; set plane.auth.tokens";
const BARE = { type: "about:blank", title: "Unauthorized", status: 401 };
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

suite("without plane.auth", () => {
  test("this machine is tenant default, or the one it says, and may all", async () => {
    const { ask, execution, plane } = planeRig();
    for (const env of [LOCAL, peer("::1"), peer("::ffff:127.0.0.1"), peer("127.9.9.9")]) {
      assert.equal((await ask("GET /wal", { env })).status, 200);
    }
    for (const host of ["localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"]) {
      assert.equal((await ask("GET /wal", { headers: { host } })).status, 200, host);
    }
    const origin = { origin: "http://localhost:8080" };
    assert.equal((await ask("GET /wal", { headers: origin })).status, 200);
    const { body } = await ask("POST /sessions", {
      json: { user: "a" },
      headers: { "haraka-tenant": "a:b" },
    });
    assert.equal(body.tenant, "a:b");
    const { id } = await execution();
    plane.move(id, { state: "parked" });
    assert.equal((await ask(`POST /executions/${id}/resolve`, { json: { action: "skip" } })).status, 202);
  });

  test("anybody else is told what to set", async () => {
    const { ask } = planeRig();
    const others: [string, Ask][] = [
      ["another machine", { env: peer("10.0.0.7") }],
      ["nobody knows who", { env: {} }],
      ["another name", { headers: { host: "rebound.example:8080" } }],
      ["a name that begins like ours", { headers: { host: "localhost.example" } }],
      ["a foreign page", { headers: { origin: "https://evil.example" } }],
      ["a page without an origin", { headers: { origin: "null" } }],
      ["another port's page", { headers: { origin: "http://localhost:3000" } }],
      ["behind a proxy", { headers: { forwarded: "for=1.2.3.4" } }],
      ["behind another", { headers: { "x-forwarded-for": "127.0.0.1" } }],
      ["behind one that hides who", { headers: { "x-forwarded-proto": "https" } }],
      ["behind one of many words", { headers: { "x-forwarded-server": "edge" } }],
      ["behind one of few words", { headers: { "x-real-ip": "127.0.0.1" } }],
      ["behind a third", { headers: { via: "1.1 proxy" } }],
    ];
    for (const [who, options] of others) {
      for (const line of ["GET /wal", "POST /sessions", "GET /sessions/none"]) {
        const { status, body, headers } = await ask(line, options);
        assert.deepEqual([status, body], [401, { ...BARE, detail: NOT_SET }], who);
        assert.equal(headers.get("www-authenticate"), "Bearer");
      }
    }
  });

  test("a session's token opens nothing from elsewhere", async () => {
    const { ask, session } = planeRig();
    const { id, token } = await session();
    const options = { headers: { "haraka-session": token }, env: peer("10.0.0.7") };
    assert.equal((await ask(`GET /sessions/${id}`, options)).body.detail, NOT_SET);
  });

  test("a wrong credential is not taken for none", async () => {
    const { ask } = planeRig();
    for (const authorization of ["Bearer stale", "Bearer ", "Basic YTpi"])
      assert.deepEqual((await ask("GET /wal", { headers: { authorization } })).body, BARE);
  });

  test("a tenant's name has limits", async () => {
    const { ask } = planeRig();
    for (const tenant of ["", "t".repeat(513)]) {
      const { status, body } = await ask("GET /wal", { headers: { "haraka-tenant": tenant } });
      assert.deepEqual([status, body.errors[0].path], [422, "Haraka-Tenant"]);
    }
  });

  test("a process has its own token, for its tenant, while it lives", async () => {
    const serviceTokens = new Set([{ token: "of-api", tenant: "shop" }]);
    const { ask, execution, plane } = planeRig({ serviceTokens });
    const mine = { ...bearer("of-api"), env: peer("172.17.0.3") };
    const { body } = await ask("POST /sessions", { ...mine, json: { user: "ann" } });
    assert.equal(body.tenant, "shop");
    const { id } = await execution(mine);
    plane.move(id, { state: "parked" });
    assert.equal(
      (await ask(`POST /executions/${id}/resolve`, { ...mine, json: { action: "skip" } })).status,
      403,
    );
    serviceTokens.clear();
    assert.equal((await ask("GET /wal", bearer("of-api"))).status, 401);
  });
});

suite("with tokens", () => {
  const tokens = [
    { token: "alpha", tenant: "a", roles: [] },
    { token: "beta", tenant: "b", roles: ["operator"] },
  ];

  test("each is for its tenant, whatever a header or a body says", async () => {
    const { ask } = planeRig({ auth: { tokens } });
    const { body } = await ask("POST /sessions", { ...bearer("alpha"), json: { user: "ann" } });
    assert.equal(body.tenant, "a");
    assert.equal((await ask(`GET /sessions/${body.id}`, bearer("alpha"))).status, 200);
    const headers = { authorization: "bearer  beta", "haraka-tenant": "a" };
    assert.equal((await ask(`GET /sessions/${body.id}`, { headers })).status, 404);
    const said = await ask("POST /sessions", { ...bearer("beta"), json: { user: "ann", tenant: "a" } });
    assert.deepEqual(said.body.errors, [{ path: "tenant", message: "unknown" }]);
    assert.equal((await ask("GET /wal", { ...bearer("alpha"), env: peer("10.0.0.7") })).status, 200);
  });

  test("none, a wrong one, or being on this machine is 401, and not a word more", async () => {
    const { ask } = planeRig({ auth: { tokens } });
    const wrong = [
      "",
      "Bearer",
      "Bearer ",
      "Bearer alph",
      "Bearer alphaa",
      "Bearer Alpha",
      "alpha",
      "Basic alpha",
    ];
    for (const authorization of wrong) {
      const { status, body } = await ask("GET /wal", { headers: { authorization } });
      assert.deepEqual([status, body], [401, BARE], authorization);
    }
    assert.deepEqual((await ask("GET /wal")).body, BARE);
    assert.deepEqual((await ask("GET /sessions/none")).body, BARE);
    assert.deepEqual(
      (await ask("PUT /state/a/b", { body: "x".repeat(10) })).body,
      BARE,
      "before anything is read",
    );
  });

  test("a session's token is a credential of its own", async () => {
    const { ask, session } = planeRig({ auth: { tokens } });
    const { id, token } = await session("ann", bearer("alpha"));
    const headers = { "haraka-session": token };
    assert.equal((await ask(`GET /sessions/${id}`, { headers, env: peer("10.0.0.7") })).body.tenant, "a");
    const both = { ...headers, authorization: "Bearer beta" };
    assert.equal((await ask("GET /wal", { headers: both })).status, 403, "its bearer, and nothing more");
  });
});

test("on the control socket everybody is an operator of every tenant", async () => {
  const { ask, execution, plane } = planeRig({
    trusting: true,
    auth: { tokens: [{ token: "alpha", tenant: "a", roles: [] }] },
  });
  const options = { env: {}, headers: { "haraka-tenant": "a", host: "x", authorization: "Bearer whatever" } };
  const { id } = await execution(options);
  plane.move(id, { state: "parked" });
  const resolved = await ask(`POST /executions/${id}/resolve`, { ...options, json: { action: "skip" } });
  assert.deepEqual([resolved.status, resolved.body.tenant], [202, "a"]);
});

suite("with JWT", () => {
  const ISSUER = "https://id.example";

  async function jwtRig(more: Partial<JwtAuth> = {}) {
    const pairs = { one: await generateKeyPair("ES256"), two: await generateKeyPair("RS256") };
    const jwkOf = async (kid: keyof typeof pairs) => ({ ...(await exportJWK(pairs[kid].publicKey)), kid });
    const published = { keys: [await jwkOf("one")], fetches: 0, fails: false };
    const jwt = {
      jwks: "https://id.example/jwks",
      issuer: ISSUER,
      audience: "haraka",
      tenantClaim: "https://id.example/tenant",
      rolesClaim: "roles",
      ...more,
    };
    const rig = planeRig({
      auth: { tokens: [{ token: "static", tenant: "a", roles: [] }], jwt },
      async fetch() {
        published.fetches += 1;
        if (published.fails) throw new Error("connection refused");
        return Response.json({ keys: published.keys });
      },
    });
    const nowSeconds = Math.floor(rig.clock.wallTime() / 1000);
    const sign = (
      claims: JWTPayload = {},
      { kid = "one", alg = "ES256" }: { kid?: keyof typeof pairs; alg?: string } = {},
    ) => {
      const payload = {
        iss: ISSUER,
        aud: "haraka",
        exp: nowSeconds + 60,
        "https://id.example/tenant": "shop",
        ...claims,
      };
      return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(pairs[kid].privateKey);
    };
    return { ...rig, published, sign, jwkOf, nowSeconds, pairs };
  }

  test("a tenant that no header may name is nobody's", async () => {
    const { ask, sign } = await jwtRig();
    for (const tenant of ["a\0b", "\ud800", "é".repeat(300), ""]) {
      const headers = bearer(await sign({ "https://id.example/tenant": tenant }));
      assert.equal((await ask("PUT /state/a/k", { ...headers, json: { value: 1 } })).status, 401, tenant);
    }
  });

  test("the tenant and the roles are its claims'", async () => {
    const { ask, sign, execution, plane, published } = await jwtRig();
    const mine = bearer(await sign());
    const { id } = await execution(mine);
    assert.equal((await ask(`GET /executions/${id}`, mine)).body.tenant, "shop");
    plane.move(id, { state: "parked" });
    const json = { action: "skip" };
    assert.equal((await ask(`POST /executions/${id}/resolve`, { ...mine, json })).status, 403);
    for (const roles of [["reader", "operator"], "reader operator"]) {
      plane.move(id, { state: "parked" });
      const operator = bearer(await sign({ roles }));
      assert.equal((await ask(`POST /executions/${id}/resolve`, { ...operator, json })).status, 202);
    }
    assert.equal((await ask("GET /wal", bearer("static"))).status, 200);
    assert.equal(published.fetches, 1);
  });

  test("expired, without an end, for others, by others, without a tenant: 401, and not a word more", async () => {
    const { ask, sign, nowSeconds, pairs } = await jwtRig();
    const claims = {
      iss: ISSUER,
      aud: "haraka",
      exp: nowSeconds + 60,
      "https://id.example/tenant": "shop",
    };
    const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(claims)).replace(/=+$/, "")}.`;
    // With a public key as the secret that both sides know.
    const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(pairs.one.publicKey)));
    const symmetric = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: "one" }).sign(secret);
    const refused = {
      expired: await sign({ exp: nowSeconds - 1 }),
      endless: await sign({ exp: undefined as never }),
      early: await sign({ nbf: nowSeconds + 60 }),
      "another issuer's": await sign({ iss: "https://evil.example" }),
      "for another audience": await sign({ aud: "other" }),
      "without a tenant": await sign({ "https://id.example/tenant": undefined }),
      "with an empty tenant": await sign({ "https://id.example/tenant": "" }),
      "for what belongs to no tenant": await sign({ "https://id.example/tenant": SYSTEM_TENANT }),
      "with a list of tenants": await sign({ "https://id.example/tenant": ["shop"] }),
      "with an unknown key": await sign({}, { kid: "two", alg: "RS256" }),
      altered: (await sign()).replace(/\.[^.]+\./, `.${btoa('{"exp":99999999999}').replace(/=+$/, "")}.`),
      unsigned,
      symmetric,
      "three words": "a.b.c",
      nothing: "..",
    };
    for (const [which, token] of Object.entries(refused)) {
      const { status, body } = await ask("GET /wal", bearer(token));
      assert.deepEqual([status, body], [401, BARE], which);
    }
    assert.equal((await ask("GET /wal", bearer(await sign({ exp: nowSeconds + 1 })))).status, 200);
  });

  test("a claim that every object has is none", async () => {
    const { ask, sign } = await jwtRig({ tenantClaim: "constructor" });
    assert.equal((await ask("GET /wal", bearer(await sign()))).status, 401);
  });

  test("unknown keys have the set fetched again once, not for each of them", async () => {
    const { ask, sign, published } = await jwtRig();
    await ask("GET /wal", bearer(await sign()));
    const unknown = await sign({}, { kid: "two", alg: "RS256" });
    await Promise.all(Array.from({ length: 20 }, () => ask("GET /wal", bearer(unknown))));
    assert.equal(published.fetches, 1, "they have just been fetched");
  });

  test("keys that cannot be had are 503, asked for again after a while only", async () => {
    const { ask, sign, published, clock } = await jwtRig();
    published.fails = true;
    const mine = bearer(await sign());
    for (const _ of [1, 2, 3]) {
      const { status, headers } = await ask("GET /wal", mine);
      assert.deepEqual([status, headers.get("retry-after")], [503, "1"]);
    }
    assert.equal(published.fetches, 1);
    assert.equal((await ask("GET /wal", bearer("static"))).status, 200);
    published.fails = false;
    await clock.advance(2_000);
    assert.equal((await ask("GET /wal", mine)).status, 200);
    assert.equal(published.fetches, 2);
  });
});
