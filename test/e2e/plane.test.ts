// The plane through the compiled binary, as its users meet it: what the first runtime plane promised, over HTTP; processes with a
// token of their own; waiting, following, and going on after a stop.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { planeOf } from "./support/plane.ts";
import { haraka, start } from "./support/runtime.ts";

/** A function, a saga with a rest, and one whose step waits until a file is there. */
const SHOP = {
  "runtime.yaml": `
runtime: { name: shop }
plane: {}
services:
  shop: { entrypoint: ./shop.ts#Shop }
`,
  "shop.ts": `
import { existsSync } from "node:fs";
import { Service, saga, z } from "haraka-runtime";
export class Shop extends Service {
  startup() {
    const { intents, sagas, log } = this.runtime;
    intents.register("double", { input: z.object({ n: z.number() }) }, ({ input }) => ({ doubled: 2 * input.n }));
    sagas.register(saga("rest").sleep("long", "10m").step("end", { execute: () => "ended", pivot: true }));
    const step = (name) => ({
      execute: async ({ signal }) => {
        log.info(name + " begins");
        while (!existsSync(name) && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
        log.info(name + " ends");
        return name;
      },
      timeout: "30s",
      compensate: () => {},
    });
    sagas.register(saga("walk").step("first", step("first")).step("second", step("second")));
  }
}`,
};

test("a session is created, fetched, and not there for another tenant", async () => {
  await using runtime = await start({ files: SHOP }).started();
  const plane = await planeOf(runtime);
  const created = await plane.ask("POST /sessions", { json: { user: "ann", context: { cart: 1 } } });
  assert.equal(created.status, 201);
  const { token, ...session } = created.body;
  assert.match(token, /^hs_/);
  assert.deepEqual((await plane.ask(`GET /sessions/${session.id}`)).body, session);
  const foreign = await plane.ask(`GET /sessions/${session.id}`, { headers: { "haraka-tenant": "other" } });
  const unknown = await plane.ask("GET /sessions/session_none");
  assert.deepEqual([foreign.status, foreign.text], [404, unknown.text]);
  assert.equal((await runtime.stop()).code, 0);
});

test("an intent is accepted, its execution visible, and the log has its three events", async () => {
  await using runtime = await start({ files: SHOP }).started();
  const plane = await planeOf(runtime);
  const session = await plane.session();
  const submitted = await plane.ask("POST /intents", {
    json: { type: "double", session, payload: { n: 21 } },
  });
  assert.equal(submitted.status, 202);
  const { id } = submitted.body;
  const done = await plane.ask(`GET /executions/${id}?wait=10s`);
  assert.deepEqual([done.body.state, done.body.result], ["completed", { doubled: 42 }]);
  const listed = await plane.ask(`GET /executions?session=${session}`);
  assert.deepEqual([listed.body.items[0].id, listed.body.cursor], [id, null]);
  const log = await plane.ask(`GET /wal?execution=${id}`);
  assert.deepEqual(
    log.body.items.map((record: { seq: number; type: string }) => [record.seq, record.type]),
    [
      [2, "intent_received"],
      [3, "execution_started"],
      [4, "execution_completed"],
    ],
  );
  const { components } = (await (await runtime.get("/health")).json()) as { components: object };
  assert.deepEqual(Object.keys(components), [
    "store",
    "state_surface",
    "wal",
    "saga_coordinator",
    "registry",
    "shop",
  ]);
});

test("an Idempotency-Key stands for one execution, also after a restart, and for no other body", async () => {
  await using first = await start({ files: SHOP }).started();
  const before = await planeOf(first);
  const session = await before.session();
  const made = await before.done("double", { session, payload: { n: 1 }, key: "k" });
  first.signal("SIGKILL");
  await first.ended;
  await using second = await start({ cwd: first.folder }).started();
  const after = await planeOf(second);
  assert.equal((await after.done("double", { session, payload: { n: 1 }, key: "k" })).id, made.id);
  const headers = { "idempotency-key": "k" };
  const other = { type: "double", session, payload: { n: 2 } };
  assert.equal((await after.ask("POST /intents", { json: other, headers })).status, 422);
});

test("wait answers at its time with what is so, and at once when the runtime stops", async () => {
  // With a drain the request is served whether it comes just before the signal or just after.
  const slow = SHOP["runtime.yaml"].replace("name: shop", "name: shop, shutdown: { drain: 1s }");
  await using runtime = await start({ files: { ...SHOP, "runtime.yaml": slow } }).started();
  const plane = await planeOf(runtime);
  const session = await plane.session();
  const { body } = await plane.ask("POST /intents", { json: { type: "rest", session, payload: {} } });
  const early = await plane.ask(`GET /executions/${body.id}?wait=20ms`);
  assert.deepEqual([early.status, early.body.state], [200, "running"]);
  const waiting = plane.ask(`GET /executions/${body.id}?wait=60s`);
  runtime.signal("SIGTERM");
  assert.equal((await waiting).body.state, "running");
  assert.equal((await runtime.ended).code, 0);
});

test("a tail has everything once and in order across a reconnect with Last-Event-ID", async () => {
  await using runtime = await start({ files: SHOP }).started();
  const plane = await planeOf(runtime);
  const writes = async (from: number): Promise<void> => {
    for (let n = from; n < from + 20; n++) await plane.ask(`PUT /state/n/k${n}`, { json: { value: n } });
  };
  const seen: number[] = [];
  const follow = async (until: number, headers: Record<string, string> = {}): Promise<void> => {
    for await (const { id, event } of plane.events("/wal?after=0", headers)) {
      assert.equal(event, "state_written");
      seen.push(id);
      if (id === until) return;
    }
  };
  await Promise.all([writes(0), follow(15)]);
  await Promise.all([writes(20), follow(40, { "last-event-id": "15" })]);
  assert.deepEqual(
    seen,
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
});

test("SIGTERM lets a step that is under way finish, begins no other, and the next start goes on", async () => {
  await using first = await start({ files: SHOP }).started();
  const before = await planeOf(first);
  const session = await before.session();
  const submitted = { json: { type: "walk", session, payload: {} } };
  const { id } = (await before.ask("POST /intents", submitted)).body;
  await first.record("shop", "first begins");
  first.signal("SIGTERM");
  await first.record("shop", /stopping on SIGTERM/);
  first.write("first", "");
  const { code } = await first.ended;
  assert.equal(code, 0);
  assert.ok(first.messages("shop").includes("first ends"));
  assert.ok(!first.messages("shop").includes("second begins"));

  await using second = start({ cwd: first.folder }).write("second", "");
  await second.started();
  const after = await planeOf(second);
  const { body } = await after.ask(`GET /executions/${id}?wait=15s`);
  assert.equal(body.state, "completed");
  assert.deepEqual(
    body.saga.steps.map(({ name, attempts }: { name: string; attempts: number }) => [name, attempts]),
    [
      ["first", 1],
      ["second", 1],
    ],
  );
  assert.ok(!second.messages("shop").includes("first begins"));
});

test("a process service acts for its own tenant with a token of its own, as long as it lives", async () => {
  const told: { url: string; token: string; answer: number }[] = [];
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://here");
    told.push(JSON.parse(searchParams.get("told") ?? ""));
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const report = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  // A program in no language of ours.
  const script = `
    answer=$(curl -s -o /dev/null -w "%{http_code}" -X PUT "$HARAKA_URL/api/v1/state/n/k" \\
      -H "Authorization: Bearer $HARAKA_TOKEN" -H "Content-Type: application/json" -d '{"value": 7}')
    curl -s -G ${report} --data-urlencode "told={\\"url\\":\\"$HARAKA_URL\\",\\"token\\":\\"$HARAKA_TOKEN\\",\\"answer\\":$answer}"
    echo told
    exec sleep 1000`;
  await using runtime = start({
    files: {
      "runtime.yaml": `
plane: { auth: { tokens: [{ token: sesame, tenant: acme, roles: [operator] }] } }
services:
  courier: { command: [sh, courier.sh], cwd: ., tenant: acme, readiness: { log: told } }
`,
      "courier.sh": script,
    },
  });
  await runtime.record("courier", "ready");
  const acme = await planeOf(runtime, { authorization: "Bearer sesame" });
  assert.equal((await acme.ask("GET /state/n/k")).body.value, 7);
  const [first] = told;
  assert.ok(first);
  const { token, url, answer } = first;
  assert.deepEqual([url, answer], [await runtime.url(), 201]);
  const itself = await planeOf(runtime, { authorization: `Bearer ${token}` });
  assert.equal((await itself.ask("GET /sessions", { headers: { "haraka-tenant": "other" } })).status, 200);
  assert.equal((await itself.ask("POST /executions/none/resolve", { json: { action: "skip" } })).status, 403);
  assert.ok(!runtime.lines.join("\n").includes(token), "the token is in the log");
  assert.equal((await haraka({ args: ["stop", "courier"], cwd: runtime.folder })).code, 0);
  await runtime.record("courier", "stopped");
  assert.equal((await itself.ask("GET /sessions")).status, 401, "it outlives whom it was given to");
  await runtime.stop();
  server.close();
  server.closeAllConnections();
});

test("a reload gives a service its tenant, a module and a process alike", async () => {
  const config = (tenant: string) => `
plane: {}
services:
  module: { entrypoint: ./who.ts, tenant: ${tenant} }
  process: { command: [sh, who.sh], cwd: ., tenant: ${tenant}, readiness: { log: told } }
`;
  await using runtime = start({
    files: {
      "runtime.yaml": config("first"),
      "who.ts": `export default { async startup() { await this.runtime.state.put("n", "module", { value: 1 }); } };`,
      "who.sh": `curl -s -o /dev/null -X PUT "$HARAKA_URL/api/v1/state/n/process" -H "Authorization: Bearer $HARAKA_TOKEN" \\
        -H "Content-Type: application/json" -d '{"value": 1}'; echo told; exec sleep 1000`,
    },
  });
  await runtime.record("process", "ready");
  const plane = await planeOf(runtime);
  const written = async (tenant: string): Promise<string[]> => {
    const { body } = await plane.ask("GET /state/n", { headers: { "haraka-tenant": tenant } });
    return body.items.map(({ key }: { key: string }) => key);
  };
  assert.deepEqual(await written("first"), ["module", "process"]);
  runtime.write("runtime.yaml", config("second"));
  assert.equal((await haraka({ args: ["reload"], cwd: runtime.folder })).code, 0);
  await runtime.until("/health/ready", 200);
  assert.deepEqual(await written("second"), ["module", "process"]);
  const entries = await plane.ask("GET /state/n", { headers: { "haraka-tenant": "first" } });
  for (const { version } of entries.body.items) assert.equal(version, 1);
});

test("HARAKA_URL leads to where the runtime listens", async () => {
  const ask = `curl -s -o /dev/null -w "%{http_code} $HARAKA_URL\\n" "$HARAKA_URL/api/v1/sessions" -H "Authorization: Bearer $HARAKA_TOKEN"`;
  await using runtime = start({
    files: {
      "runtime.yaml": `
http: { host: 127.0.0.2 }
plane: {}
services: { asks: { command: [sh, ask.sh], cwd: . } }
`,
      "ask.sh": `${ask}\nexec sleep 1000`,
    },
  });
  const { port } = new URL(await runtime.url());
  await runtime.record("asks", `200 http://127.0.0.2:${port}`);
});
