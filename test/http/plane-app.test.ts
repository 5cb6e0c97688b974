// The plane's HTTP API beside what else is there: control and the services' own routes on the port, control alone on the socket. What
// a start reads has nothing of it.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { RuntimeRegistry } from "../../src/discovery/registry.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { besideControl } from "../../src/http/api-paths.ts";
import { createApp } from "../../src/http/app.ts";
import { createDocs } from "../../src/http/docs.ts";
import { createGate } from "../../src/http/gate.ts";
import type { PlaneAuth } from "../../src/http/auth.ts";
import { createPlaneApi, type PlaneApiOptions } from "../../src/http/plane-api.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import type { Fetch } from "../../src/http/server.ts";
import { root } from "../e2e/support/binary.ts";
import { fakePlane } from "../fakes/plane.ts";
import { scriptedHealth, up } from "../fixtures/http-snapshots.ts";
import { LOCAL } from "./plane-rig.ts";
import { silentLog } from "./silent-log.ts";

const plane = fakePlane();
const clock = systemClock();
/** What compose makes of it. */
function doors(options: Partial<PlaneApiOptions>): { api: Fetch; docs: Fetch } {
  const ending = new AbortController().signal;
  const registry = new RuntimeRegistry({ clock, random: Math.random });
  const shared = { limits: PLANE_LIMITS, clock, log: silentLog, registry };
  const app = createPlaneApi({ ...shared, plane: () => plane, ending, ...options });
  const hasAuth = options.auth !== undefined;
  return {
    api: (request, native) => app.fetch(request, native as object),
    docs: createDocs({ name: "shop", version: "1.2.3", limits: PLANE_LIMITS, hasAuth }),
  };
}
const control: Fetch = async (request) => new Response(`control ${new URL(request.url).pathname}`);
const ask = async (fetch: Fetch, path: string, headers: Record<string, string> = {}) => {
  const request = new Request(`http://localhost${path}`, { headers: { host: "localhost", ...headers } });
  const response = await fetch(request, LOCAL);
  return [response.status, await response.text()] as const;
};

suite("on the port", () => {
  const appWith = (more: { control?: Fetch; auth?: PlaneAuth }) => {
    const { control, ...rest } = more;
    const health = scriptedHealth(up({ components: { api: up().components["api"]! } }));
    const identity = { service: "shop", version: "1.2.3", log: silentLog };
    return createApp({ ...identity, health, gate: createGate({ clock }), plane: doors(rest), control });
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
});

test("on the socket control and the plane stand behind one door, for every tenant", async () => {
  const auth = { tokens: [{ token: "t", tenant: "a", roles: [] }] };
  const fetch = besideControl(control, doors({ auth, trusting: true }));
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
