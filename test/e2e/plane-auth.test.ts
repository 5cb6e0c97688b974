// Who may use the plane of the compiled binary: on loopback and off it, by token, by a JWT whose keys somebody serves, and by the token
// of a session, which is what it is until it is rotated, closed or expired.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { planeOf } from "./support/plane.ts";
import { freePort } from "./support/ports.ts";
import { type Runtime, start } from "./support/runtime.ts";

const IDLE = "services: { idle: { command: [sleep, '1000'] } }";
const OPEN = { "runtime.yaml": `plane: {}\n${IDLE}` };
const TOKENS = {
  "runtime.yaml": `
plane:
  auth:
    tokens:
      - { token: of-acme, tenant: acme }
      - { token: of-boss, tenant: acme, roles: [operator] }
      - { token: of-other, tenant: other }
${IDLE}`,
};

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** The runtime's port by an address that is not loopback. */
async function fromOutside(runtime: Runtime, path: string, headers = {}): Promise<Response> {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const own = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
  assert.ok(own, "this machine has no address but loopback: give it a network");
  const { port } = new URL(await runtime.url());
  return fetch(`http://${own.address}:${port}/api/v1${path}`, { headers, keepalive: false });
}

describe("without plane.auth", () => {
  test("this machine is served, and everybody else told what to set", async () => {
    await using runtime = await start({ files: OPEN }).started();
    const plane = await planeOf(runtime);
    assert.equal((await plane.ask("GET /sessions")).status, 200);
    const outside = await fromOutside(runtime, "/sessions");
    assert.equal(outside.status, 401);
    const { detail } = (await outside.json()) as { detail: string };
    assert.equal(detail, "plane.auth is not set, so only loopback is served; set plane.auth.tokens");
    for (const headers of [
      { "x-forwarded-for": "10.0.0.1" },
      { forwarded: "for=10.0.0.1" },
      { via: "1.1 proxy" },
      { "x-forwarded-host": "shop" },
      { origin: "http://evil.example" },
      { host: "evil.example" },
    ] as Record<string, string>[]) {
      assert.equal((await plane.ask("GET /sessions", { headers })).status, 401, JSON.stringify(headers));
    }
    // What needs no credential.
    for (const path of ["/health", "/openapi.json", "/docs"])
      assert.equal((await runtime.get(path)).status, 200);
  });
});

describe("with tokens", () => {
  test("loopback needs one, too, and each is its tenant wherever it comes from", async () => {
    await using runtime = await start({ files: TOKENS }).started();
    const [nobody, wrong, acme, other] = await Promise.all([
      planeOf(runtime),
      planeOf(runtime, bearer("of-acmee")),
      planeOf(runtime, bearer("of-acme")),
      planeOf(runtime, bearer("of-other")),
    ]);
    for (const plane of [nobody, wrong]) {
      const answer = await plane.ask("GET /sessions", { headers: { "haraka-tenant": "acme" } });
      assert.equal(answer.status, 401);
      assert.equal(answer.body.detail, undefined);
    }
    const created = await acme.ask("POST /sessions", {
      json: { user: "ann" },
      headers: { "haraka-tenant": "x" },
    });
    assert.equal(created.body.tenant, "acme");
    assert.equal((await other.ask(`GET /sessions/${created.body.id}`)).status, 404);
    const outside = await fromOutside(runtime, `/sessions/${created.body.id}`, bearer("of-acme"));
    assert.equal(outside.status, 200);
    assert.equal((await fromOutside(runtime, "/sessions")).status, 401);
    assert.equal((await acme.ask("POST /executions/none/retry")).status, 403);
    const boss = await planeOf(runtime, bearer("of-boss"));
    assert.equal((await boss.ask("POST /executions/none/retry")).status, 404);
    const text = runtime.lines.join("\n");
    for (const token of ["of-acme", "of-boss"]) assert.ok(!text.includes(token), `${token} is in the log`);
  });
});

describe("with a JWKS", () => {
  test("a token of its keys is who it says, and no other is anybody", async () => {
    const [ours, theirs] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("ES256")]);
    const jwk = { ...(await exportJWK(ours.publicKey)), kid: "1", alg: "ES256" };
    const server = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const files = {
      "runtime.yaml": `plane: { auth: { jwt: { jwks: "${jwks}", issuer: us, audience: shop } } }\n${IDLE}`,
    };
    await using runtime = await start({ files }).started();
    const sign = (claims: object, { key = ours.privateKey, exp = "1h", aud = "shop" } = {}) => {
      const token = new SignJWT({ ...claims }).setProtectedHeader({ alg: "ES256", kid: "1" });
      token.setIssuer("us").setAudience(aud);
      if (exp !== "never") token.setExpirationTime(exp);
      return token.sign(key);
    };
    const ask = async (token: string, line = "GET /sessions") =>
      (await planeOf(runtime, bearer(token))).ask(line);

    const good = await sign({ tenant: "acme", roles: ["operator"] });
    const session = await (
      await planeOf(runtime, bearer(good))
    ).ask("POST /sessions", { json: { user: "a" } });
    assert.equal(session.body.tenant, "acme");
    assert.equal((await ask(good, "POST /executions/none/retry")).status, 404);
    assert.equal((await ask(await sign({ tenant: "acme" }), "POST /executions/none/retry")).status, 403);
    const unsigned = `${btoa('{"alg":"none"}')}.${good.split(".")[1]}.`;
    const forged = `${good.split(".").slice(0, 2).join(".")}.${"A".repeat(86)}`;
    for (const [why, token] of [
      ["expired", await sign({ tenant: "acme" }, { exp: "-1m" })],
      ["without an end", await sign({ tenant: "acme" }, { exp: "never" })],
      ["for another audience", await sign({ tenant: "acme" }, { aud: "bank" })],
      ["by another key", await sign({ tenant: "acme" }, { key: theirs.privateKey })],
      ["without a tenant", await sign({})],
      ["with a tenant that is none", await sign({ tenant: 7 })],
      ["unsigned", unsigned],
      ["forged", forged],
      ["no token", "a.b.c"],
    ] as const) {
      assert.equal((await ask(token)).status, 401, why);
    }
    await runtime.stop();
    server.close();
    server.closeAllConnections();
  });

  test("whose keys cannot be had, nobody is refused for good", async () => {
    const jwks = `http://127.0.0.1:${await freePort()}/keys`;
    const files = {
      "runtime.yaml": `plane: { auth: { jwt: { jwks: "${jwks}", issuer: us, audience: shop } } }\n${IDLE}`,
    };
    await using runtime = await start({ files }).started();
    const { privateKey } = await generateKeyPair("ES256");
    const token = await new SignJWT({ tenant: "acme" })
      .setProtectedHeader({ alg: "ES256", kid: "1" })
      .setExpirationTime("1h")
      .sign(privateKey);
    const answer = await (await planeOf(runtime, bearer(token))).ask("GET /sessions");
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
    assert.match(answer.body.detail, /the keys of plane\.auth\.jwt cannot be had/);
    await runtime.record("haraka", /cannot get the keys of plane\.auth\.jwt from http/);
  });
});

describe("the token of a session", () => {
  const reading = (token: string) => ({ headers: { "haraka-session": token } });

  test("reads that session and nothing else; forged, it is nobody's", async () => {
    await using runtime = await start({ files: OPEN }).started();
    const plane = await planeOf(runtime);
    const make = async () => (await plane.ask("POST /sessions", { json: { user: "ann" } })).body;
    const [mine, other] = [await make(), await make()];
    assert.equal((await plane.ask(`GET /sessions/${mine.id}`, reading(mine.token))).status, 200);
    assert.equal((await plane.ask(`GET /sessions/${other.id}`, reading(mine.token))).status, 404);
    assert.equal((await plane.ask("GET /wal", reading(mine.token))).status, 403);
    assert.equal((await plane.ask("GET /sessions", reading(mine.token))).status, 403);
    const [head = ""] = mine.token.split(/\.[^.]*$/);
    for (const token of [
      "",
      "hs_x",
      `${head}.${"A".repeat(43)}`,
      `${mine.token}A`,
      other.token.replace(/[^.]*$/, ""),
    ])
      assert.equal((await plane.ask(`GET /sessions/${mine.id}`, reading(token))).status, 401, token);
  });

  test("that was rotated revokes the session when it is used again, over a kill -9, too", async () => {
    await using first = await start({ files: OPEN }).started();
    const before = await planeOf(first);
    const session = (await before.ask("POST /sessions", { json: { user: "ann" } })).body;
    const rotated = (await before.ask(`POST /sessions/${session.id}/rotate`)).body;
    assert.notEqual(rotated.token, session.token);
    first.signal("SIGKILL");
    await first.ended;
    await using second = await start({ cwd: first.folder }).started();
    const after = await planeOf(second);
    const path = `GET /sessions/${session.id}`;
    assert.equal((await after.ask(path, reading(rotated.token))).status, 200);
    assert.equal((await after.ask(path, reading(session.token))).status, 401);
    assert.equal((await after.ask(path, reading(rotated.token))).status, 401);
    assert.equal((await after.ask(path)).status, 404);
    const log = await after.ask(`GET /wal?session=${session.id}`);
    assert.equal(log.body.items.at(-1).type, "session_revoked");
  });

  test("of a session that is closed or expired opens nothing, and no file has it", async () => {
    await using runtime = await start({ files: OPEN }).started();
    const plane = await planeOf(runtime);
    const closed = (await plane.ask("POST /sessions", { json: { user: "ann" } })).body;
    assert.equal((await plane.ask(`DELETE /sessions/${closed.id}`)).status, 204);
    assert.equal((await plane.ask(`GET /sessions/${closed.id}`, reading(closed.token))).status, 401);
    const brief = (await plane.ask("POST /sessions", { json: { user: "bob", idle: "20ms" } })).body;
    for await (const { event, data } of plane.events("/wal?after=0"))
      if (event === "session_expired" && data.session === brief.id) break;
    assert.equal((await plane.ask(`GET /sessions/${brief.id}`, reading(brief.token))).status, 401);
    assert.equal((await plane.ask(`GET /sessions/${brief.id}`)).status, 404);
    for (const name of ["data/haraka.db", "data/haraka.db-wal"]) {
      const bytes = Buffer.from(await Bun.file(`${runtime.folder}/${name}`).arrayBuffer()).toString("latin1");
      for (const { token } of [closed, brief]) assert.ok(!bytes.includes(token.split(".").at(-1)), name);
    }
  });
});
