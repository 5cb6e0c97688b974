// Intents and executions over HTTP: submission and its key, waiting, lists and streams, and what only some may do, or only then.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventsOf, planeRig } from "./plane-rig.ts";

const STREAM = { accept: "text/event-stream" };

suite("an intent", () => {
  test("is accepted with 202 and becomes an execution", async () => {
    const { ask, session } = planeRig();
    const { id: mine } = await session();
    const json = { type: "order.place", session: mine, payload: { sku: "x" } };
    const { status, headers, body } = await ask("POST /intents", { json });
    assert.equal(status, 202);
    assert.equal(headers.get("location"), `/api/v1/executions/${body.id}`);
    assert.deepEqual(
      [body.type, body.tenant, body.session, body.state, body.payload],
      ["order.place", "default", mine, "pending", { sku: "x" }],
    );
    assert.deepEqual((await ask(`GET /executions/${body.id}`)).body, body);
  });

  test("with one key is one execution; another intent with that key is 422", async () => {
    const { ask, session } = planeRig();
    const { id } = await session();
    const submit = (payload: unknown, key = "k 1") =>
      ask("POST /intents", {
        json: { type: "order.place", session: id, payload },
        headers: { "idempotency-key": key },
      });
    const first = await submit({ n: 1 });
    assert.deepEqual(await submit({ n: 1 }).then(({ status, text }) => [status, text]), [202, first.text]);
    const other = await submit({ n: 2 });
    assert.equal(other.status, 422);
    assert.match(other.body.detail, /Idempotency-Key "k 1"/);
    assert.notEqual((await submit({ n: 2 }, "k 2")).body.id, first.body.id);
    assert.equal((await submit({}, "k".repeat(513))).body.errors[0].path, "Idempotency-Key");
  });

  test("of an unknown type is 422 with what is wrong where, in an unknown session 404", async () => {
    const { ask, session } = planeRig();
    const { id } = await session();
    const unknown = await ask("POST /intents", {
      json: { type: "order.plaice", session: id, payload: null },
    });
    assert.equal(unknown.status, 422);
    assert.deepEqual(unknown.body.errors, [{ path: "type", message: 'unknown type "order.plaice"' }]);
    const nowhere = await ask("POST /intents", {
      json: { type: "order.place", session: "session_none", payload: null },
    });
    assert.equal(nowhere.status, 404);
  });
});

suite("an execution", () => {
  test("is waited for until it is over, and no longer", async () => {
    const { ask, execution, plane } = planeRig();
    const { id } = await execution();
    const waiting = ask(`GET /executions/${id}?wait=1m`);
    plane.move(id, { state: "running" });
    plane.move(id, { state: "completed", result: { price: 3 } });
    const { status, body } = await waiting;
    assert.deepEqual([status, body.state, body.result], [200, "completed", { price: 3 }]);
  });

  test("is answered as it is when the time is up, the drain begins or the client goes", async () => {
    const { ask, request, execution, ending, plane } = planeRig();
    const { id } = await execution();
    assert.equal((await ask(`GET /executions/${id}?wait=1ms`)).body.state, "pending");
    const client = new AbortController();
    const left = request(`GET /executions/${id}?wait=1m`, { signal: client.signal });
    const waiting = ask(`GET /executions/${id}?wait=1m`);
    while (plane.tenantOf("default").waiting < 2) await Promise.resolve();
    client.abort();
    await left.catch(() => {});
    ending.abort("the runtime is stopping");
    assert.equal((await waiting).body.state, "pending");
    assert.equal(plane.tenantOf("default").waiting, 0);
  });

  test("wait is a duration of at most 5m", async () => {
    const { ask, execution } = planeRig();
    const { id } = await execution();
    for (const wait of ["10", "6m", "-1s", "1e3s", "", "10s&wait=11s"]) {
      const { status, body } = await ask(`GET /executions/${id}?wait=${wait}`);
      assert.deepEqual([status, body.errors[0].path], [422, "wait"], wait);
    }
    assert.equal((await ask("GET /executions/execution_none?wait=1m")).status, 404);
  });

  test("those of a filter are listed page by page", async () => {
    const { ask, execution, plane } = planeRig();
    const all = [await execution(), await execution(), await execution()];
    plane.move(all[1]!.id, { state: "parked" });
    const ids = async (query: string) =>
      (await ask(`GET /executions?${query}`)).body.items.map(({ id }: { id: string }) => id);
    assert.deepEqual(await ids("state=parked"), [all[1]!.id]);
    assert.deepEqual(await ids(`session=${all[2]!.session}`), [all[2]!.id]);
    assert.deepEqual(await ids("type=order.none"), []);
    const first = await ask("GET /executions?state=pending&limit=1");
    assert.deepEqual(await ids(`state=pending&limit=1&cursor=${first.body.cursor}`), [all[2]!.id]);
    const wrong = await ask("GET /executions?state=pendign&type=&limit=0&colour=red");
    assert.equal(wrong.status, 422);
    assert.deepEqual(
      wrong.body.errors.map(({ path }: { path: string }) => path),
      ["state", "type", "limit", "colour"],
    );
    assert.match(wrong.body.errors[0].message, /did you mean "pending"/);
  });

  test("shows its saga and its error, with what is not there left out", async () => {
    const { ask, execution, plane } = planeRig();
    const { id } = await execution();
    const steps = [
      { name: "reserve", state: "completed", attempts: 2, output: null },
      { name: "charge", state: "in_doubt", attempts: 1, error: { message: "timeout" } },
    ];
    const saga = { id: "saga_1", definition: "abc", steps };
    plane.move(id, { state: "parked", error: { message: "in doubt", reason: "manual" }, saga });
    const { body } = await ask(`GET /executions/${id}`);
    assert.deepEqual([body.saga, body.error], [saga, { message: "in doubt", reason: "manual" }]);
  });

  test("is cancelled, retried, resolved and signalled with 202, or 409 in another state", async () => {
    const { ask, execution, plane } = planeRig();
    const { id } = await execution();
    const act = (action: string, json?: unknown) =>
      ask(`POST /executions/${id}/${action}`, json === undefined ? {} : { json });
    assert.equal((await act("retry")).status, 409);
    assert.equal((await act("resolve", { action: "done", output: 1 })).status, 409);
    assert.equal((await act("signal", { name: "approved", payload: { by: "ann" } })).status, 202);
    plane.move(id, { state: "parked" });
    assert.equal(
      (await act("resolve", { action: "done", step: "charge", output: { ok: true } })).status,
      202,
    );
    const cancelled = await act("cancel");
    assert.deepEqual([cancelled.status, cancelled.body.state], [202, "cancelled"]);
    const again = await act("cancel");
    assert.equal(again.status, 409);
    assert.match(again.body.detail, /it is cancelled/);
    assert.equal((await act("resolve", { action: "undo" })).status, 422);
    assert.equal((await act("signal", {})).status, 422);
    for (const action of ["cancel", "retry"])
      assert.equal((await ask(`POST /executions/execution_none/${action}`)).status, 404);
  });

  test("resolve is for operators", async () => {
    const tokens = [
      { token: "plain", tenant: "shop", roles: [] },
      { token: "operator", tenant: "shop", roles: ["operator"] },
    ];
    const { ask, execution, plane } = planeRig({ auth: { tokens } });
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    const { id } = await execution(as("plain"));
    plane.move(id, { state: "parked" });
    const json = { action: "retry" };
    const refused = await ask(`POST /executions/${id}/resolve`, { ...as("plain"), json });
    assert.equal(refused.status, 403);
    assert.match(refused.body.detail, /operator/);
    assert.equal((await ask(`POST /executions/${id}/resolve`, { ...as("operator"), json })).status, 202);
  });
});

suite("as a stream", () => {
  test("one execution's records come, whatever else happens, and 404 before it begins", async () => {
    const { ask, request, execution } = planeRig();
    const one = await execution();
    await execution();
    const events = eventsOf(await request(`GET /executions/${one.id}`, { headers: STREAM }));
    assert.deepEqual(await events.next().then((event) => [event?.event, event?.data.execution]), [
      "intent_received",
      one.id,
    ]);
    await ask(`POST /executions/${one.id}/cancel`);
    assert.equal((await events.next())?.data.execution, one.id);
    await events.cancel();
    assert.equal((await ask("GET /executions/execution_none", { headers: STREAM })).status, 404);
  });

  test("executions come as they are, those that the filter holds for", async () => {
    const { request, execution, plane } = planeRig();
    const events = eventsOf(await request("GET /executions?state=parked", { headers: STREAM }));
    const one = await execution();
    const other = await execution();
    plane.move(one.id, { state: "running" });
    plane.move(other.id, { state: "parked" });
    const event = await events.next();
    assert.deepEqual([event?.data.id, event?.data.state], [other.id, "parked"]);
    await events.cancel();
    assert.equal(plane.tenantOf("default").waiting, 0, "nothing is left behind");
  });
});
