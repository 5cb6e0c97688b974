// The API in front of the real plane over each embedded store: what the first runtime plane promised, and where the plane's own words
// come through. The rest of the suites has a plane in memory that a test can move.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import { openStoreAt } from "../../src/compose/store-at.ts";
import { testClock } from "../../src/compose/testing.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import { Engine } from "../../src/plane/engine.ts";
import { TenantExecutions } from "../../src/plane/executions.ts";
import { IntentRegistry } from "../../src/plane/intents.ts";
import { createPlane } from "../../src/plane/plane.ts";
import { eventsOf, planeRig } from "./plane-rig.ts";

const STREAM = { accept: "text/event-stream" };
const SESSIONS = { idleMs: 1_800_000, absoluteMs: 86_400_000 };

async function realRig(url: string) {
  const clock = testClock();
  const cwd = mkdtempSync(join(tmpdir(), "haraka-plane-http-"));
  const failpoint = () => {};
  const store = await openStoreAt(url, { clock, cwd, failpoint, onLost() {} });
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  const intents = new IntentRegistry({ sha256, fetch, bodyBytesMax: PLANE_LIMITS.bodyBytesMax });
  const engine = new Engine({ store, intents, clock, failpoint, random: () => 0.5, onError: () => {} });
  const plane = createPlane({
    store,
    clock,
    limits: PLANE_LIMITS,
    sessions: SESSIONS,
    retentionMs: Infinity,
    executionsOf: (tenant) =>
      new TenantExecutions({
        tenant,
        engine,
        sessions: plane.tenant(tenant).sessions,
        limits: PLANE_LIMITS,
      }),
  });
  await engine.recover();
  engine.run();
  return {
    ...planeRig({ plane: () => plane, clock }),
    intents,
    async [Symbol.asyncDispose]() {
      await engine.stop({ signal: AbortSignal.abort() });
      await plane.stop();
      await store.close();
      rmSync(cwd, { recursive: true });
    },
  };
}

for (const url of ["memory:", "sqlite:haraka.db"]) {
  describe(`the API over ${url}`, () => suiteOf(() => realRig(url)));
}

function suiteOf(make: () => ReturnType<typeof realRig>): void {
  test("a session is created, fetched, and not found by another tenant", async () => {
    await using rig = await make();
    const created = await rig.ask("POST /sessions", { json: { user: "ann", context: { a: 1 } } });
    assert.equal(created.status, 201);
    const { token, ...shown } = created.body;
    assert.deepEqual((await rig.ask(`GET /sessions/${shown.id}`)).body, shown);
    const foreign = await rig.ask(`GET /sessions/${shown.id}`, { headers: { "haraka-tenant": "other" } });
    const unknown = await rig.ask("GET /sessions/session_none");
    assert.deepEqual([foreign.status, foreign.text], [404, unknown.text]);
    const mine = await rig.ask(`GET /sessions/${shown.id}`, { headers: { "haraka-session": token } });
    assert.equal(mine.status, 200);
    assert.equal((await rig.ask("GET /sessions?user=ann")).body.items.length, 1);
  });

  test("an intent becomes an execution, which runs, is waited for, and stands in the log", async () => {
    await using rig = await make();
    const input = z.object({ n: z.number() });
    rig.intents.register("double", { input }, async ({ input: { n } }) => ({ doubled: 2 * n }));
    const { id: session } = await rig.session();
    const submit = (payload: unknown, headers: Record<string, string> = {}) =>
      rig.ask("POST /intents", { json: { type: "double", session, payload }, headers });
    const key = { "idempotency-key": "k" };
    const { body, status } = await submit({ n: 21 }, key);
    assert.equal(status, 202);
    const { body: done } = await rig.ask(`GET /executions/${body.id}?wait=10s`);
    assert.deepEqual([done.state, done.result], ["completed", { doubled: 42 }]);
    assert.equal((await submit({ n: 21 }, key)).body.id, body.id);
    assert.equal((await submit({ n: 22 }, key)).status, 422);
    const log = await rig.ask(`GET /wal?execution=${body.id}`);
    assert.deepEqual(
      log.body.items.map(({ type }: { type: string }) => type),
      ["intent_received", "execution_started", "execution_completed"],
    );
    assert.equal((await rig.ask("GET /executions?state=completed")).body.items[0].id, body.id);
    const events = eventsOf(await rig.request(`GET /executions/${body.id}`, { headers: STREAM }));
    for (const type of ["intent_received", "execution_started", "execution_completed"])
      assert.equal((await events.next())?.event, type);
    await events.cancel();
    assert.equal((await rig.ask(`POST /executions/${body.id}/cancel`)).status, 409);
    const wrong = await submit({ n: "x" });
    assert.equal(wrong.status, 422);
    assert.match(JSON.stringify(wrong.body.errors), /"n"|payload\.n/);
    const unknown = await rig.ask("POST /intents", { json: { type: "dubble", session, payload: {} } });
    assert.equal(unknown.status, 422);
  });

  test("what only the plane can refuse is said in the words of HTTP", async () => {
    await using rig = await make();
    const long = await rig.ask("POST /sessions", { json: { user: "a", idle: "2h", absolute: "48h" } });
    assert.deepEqual(
      [long.status, long.body.errors.map(({ path }: { path: string }) => path)],
      [422, ["idle", "absolute"]],
    );
    const { status, body } = await rig.ask("GET /sessions?cursor=nonsense");
    assert.deepEqual([status, body.errors[0].path], [422, "cursor"]);
  });

  test("entries have versions, conditions, and a watch that misses nothing", async () => {
    await using rig = await make();
    const put = (key: string, value: unknown, headers = {}) =>
      rig.ask(`PUT /state/n/${key}`, { json: { value }, headers });
    assert.equal((await put("a", 1, { "if-none-match": "*" })).status, 201);
    assert.equal((await put("a", 2, { "if-none-match": "*" })).status, 412);
    assert.equal((await put("a", 2, { "if-match": '"1"' })).status, 200);
    assert.equal((await put("a", 3, { "if-match": '"1"' })).status, 412);
    assert.equal((await put("b%2Fc", 4)).status, 201);
    assert.equal((await rig.ask("DELETE /state/n/none")).status, 404);
    assert.equal((await rig.ask("DELETE /state/n/a", { headers: { "if-match": '"1"' } })).status, 412);
    const events = eventsOf(await rig.request("GET /state/n", { headers: STREAM }));
    const seen = [await events.next(), await events.next(), await events.next()];
    assert.deepEqual(
      seen.map((event) => [event?.id, event?.data.key, event?.data.value]),
      [
        [1, "a", 1],
        [2, "a", 2],
        [3, "b/c", 4],
      ],
    );
    await rig.ask("DELETE /state/n/a", { headers: { "if-match": "*" } });
    assert.deepEqual((await events.next())?.data.type, "deleted");
    await events.cancel();
    const first = await rig.ask("GET /state/n?limit=1");
    assert.deepEqual([first.body.items[0].key, first.body.cursor], ["b/c", null]);
  });

  test("the tail of the sessions tells whose end it was", async () => {
    await using rig = await make();
    const ann = await rig.session("ann");
    const bob = await rig.session("bob");
    await rig.ask(`DELETE /sessions/${bob.id}`);
    await rig.ask(`DELETE /sessions/${ann.id}`);
    const events = eventsOf(await rig.request("GET /sessions?user=ann&after=2", { headers: STREAM }));
    assert.deepEqual((await events.next())?.data, { id: ann.id, state: "closed" });
    await events.cancel();
  });
}
