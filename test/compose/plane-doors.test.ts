// Where the plane's HTTP API is reached: beside control and the services' own routes on the port, beside control on the socket; loaded
// by whoever asks, and by nobody else.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { planeOnSocket, planeOverTcp } from "../../src/compose/plane-doors.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { besideControl } from "../../src/http/api-paths.ts";
import { createApp } from "../../src/http/app.ts";
import { createGate } from "../../src/http/gate.ts";
import type { PlaneAuth } from "../../src/http/auth.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import type { Fetch } from "../../src/http/server.ts";
import { root } from "../e2e/support/binary.ts";
import { fakePlane } from "../fakes/plane.ts";
import { scriptedHealth, up } from "../fixtures/http-snapshots.ts";
import { LOCAL } from "../http/plane-rig.ts";
import { silentLog } from "../http/silent-log.ts";

const plane = fakePlane();
const clock = systemClock();
const parts = {
  service: "shop",
  version: "1.2.3",
  plane: () => plane,
  limits: PLANE_LIMITS,
  clock,
  log: silentLog,
};
const control: Fetch = async (request) => new Response(`control ${new URL(request.url).pathname}`);
const ask = async (fetch: Fetch, path: string, headers: Record<string, string> = {}) => {
  const request = new Request(`http://localhost${path}`, { headers: { host: "localhost", ...headers } });
  const response = await fetch(request, LOCAL);
  return [response.status, await response.text()] as const;
};

suite("on the port", () => {
  const appWith = (more: { control?: Fetch; auth?: PlaneAuth }) => {
    const { control, ...rest } = more;
    const gate = createGate({ clock });
    const health = scriptedHealth(up({ components: { api: up().components["api"]! } }));
    const doors = planeOverTcp({ ...parts, ...rest, gate });
    return createApp({ ...parts, health, gate, plane: doors, ...(control && { control }) });
  };

  test("control has its paths, and the plane the rest", async () => {
    const { fetch } = appWith({ control });
    assert.deepEqual(await ask(fetch, "/api/v1/runtime"), [200, "control /api/v1/runtime"]);
    assert.deepEqual(await ask(fetch, "/api/v1/services/a/logs"), [200, "control /api/v1/services/a/logs"]);
    for (const path of ["/api/v1/wal", "/api/v1/state/runtime", "/openapi.json", "/docs", "/health"])
      assert.equal((await ask(fetch, path))[0], 200, path);
    assert.equal((await ask(fetch, "/api/v1/runtimes"))[0], 404);
    assert.equal((await ask(appWith({}).fetch, "/api/v1/runtime"))[0], 404, "without control");
  });

  test("a service may have /docs for itself, but not by taking every path", async () => {
    const app = appWith({});
    app.mount("api", (routes) => routes.get("/*", (c) => c.text("page")));
    assert.deepEqual(await ask(app.fetch, "/anything"), [200, "page"]);
    assert.match((await ask(app.fetch, "/docs"))[1], /^<!doctype html>/);
    app.mount("api", (routes) => routes.get("/docs", (c) => c.text("our docs")));
    assert.deepEqual(await ask(app.fetch, "/docs"), [200, "our docs"]);
    assert.match((await ask(app.fetch, "/openapi.json"))[1], /"openapi":"3\.1/);
    assert.throws(
      () => app.mount("api", (routes) => routes.get("/api/v1/wal", (c) => c.text(""))),
      /belongs/,
    );
  });

  test("documents need no credential, and say that the rest does", async () => {
    const { fetch } = appWith({ auth: { tokens: [] } });
    assert.equal((await ask(fetch, "/api/v1/wal"))[0], 401);
    const [status, text] = await ask(fetch, "/openapi.json");
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text).paths["/api/v1/wal"].get.security, [{ bearer: [] }]);
  });

  test("keys for JWT may be in a file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "haraka-jwks-"));
    try {
      const { publicKey, privateKey } = await generateKeyPair("EdDSA");
      const file = join(folder, "jwks.json");
      writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k" }] }));
      const jwt = { jwks: pathToFileURL(file).href, tenantClaim: "tenant" };
      const { fetch } = appWith({ auth: { tokens: [], jwt } });
      const token = await new SignJWT({ tenant: "shop" })
        .setProtectedHeader({ alg: "EdDSA", kid: "k" })
        .setExpirationTime("1m")
        .sign(privateKey);
      assert.equal((await ask(fetch, "/api/v1/wal", { authorization: `Bearer ${token}` }))[0], 200);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test("on the socket control and the plane stand behind one door, for every tenant", async () => {
  const auth = { tokens: [{ token: "t", tenant: "a", roles: [] }] };
  const doors = planeOnSocket({ ...parts, auth }, new AbortController().signal);
  const fetch = besideControl(control, doors);
  await plane.tenant("a:b").state.put("n", "k", { value: 1 });
  assert.equal((await ask(fetch, "/api/v1/state/n/k", { "haraka-tenant": "a:b" }))[0], 200);
  assert.equal((await ask(fetch, "/api/v1/state/n/k"))[0], 404);
  for (const path of ["/api/v1/runtime", "/api/v1/services/a", "/health", "/elsewhere"])
    assert.equal((await ask(fetch, path))[1], `control ${path}`);
  assert.equal((await ask(fetch, "/docs"))[0], 200);
});

/** Every file that a start reads: what is imported without being asked for. */
function readAtStart(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = readFileSync(file, "utf8").matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^;"']*?\bfrom\s+)?["']([^"']+)["']/gm,
  );
  for (const [, specifier = ""] of imports) {
    const target = join(dirname(file), specifier);
    if (!specifier.startsWith(".")) seen.add(specifier);
    else if (existsSync(target)) readAtStart(target, seen);
  }
  return seen;
}

test("a start reads nothing of it", () => {
  const start = [...readAtStart(join(root, "src/compose/cli.ts"))];
  assert.ok(start.some((file) => file.endsWith("src/http/app.ts")));
  const heavy = start.filter((file) => /\/http\/(plane-|auth|openapi|docs)|^(jose|zod)/.test(file));
  assert.deepEqual(heavy, []);
});
