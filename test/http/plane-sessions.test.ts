// Sessions over HTTP: each row of the contract about them, and what a session's token lets its bearer do.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventsOf, planeRig } from "./plane-rig.ts";

const STREAM = { accept: "text/event-stream" };

suite("a session", () => {
  test("is created with 201, an ETag, a Location, and a token that nobody is told again", async () => {
    const { ask } = planeRig();
    const json = { user: "ann", context: { cart: [1] }, idle: "5m", absolute: "1h" };
    const created = await ask("POST /sessions", { json });
    assert.equal(created.status, 201);
    assert.equal(created.headers.get("etag"), '"1"');
    const { id, token, ...rest } = created.body;
    assert.equal(created.headers.get("location"), `/api/v1/sessions/${id}`);
    assert.deepEqual(rest, {
      tenant: "default",
      user: "ann",
      context: { cart: [1] },
      state: "active",
      version: 1,
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2026-01-01T01:00:00.000Z",
    });
    const read = await ask(`GET /sessions/${id}`);
    assert.equal(read.status, 200);
    assert.equal(read.headers.get("etag"), '"1"');
    assert.deepEqual(read.body, { id, ...rest });
    for (const line of ["GET /sessions", "GET /wal", `POST /sessions/${id}/touch`]) {
      assert.ok(!(await ask(line)).text.includes(token), line);
    }
  });

  test("is patched shallowly, at the version of If-Match only", async () => {
    const { ask, session } = planeRig();
    const { id } = await session();
    const patch = (context: object, match?: string) =>
      ask(`PATCH /sessions/${id}`, { json: { context }, ...(match && { headers: { "if-match": match } }) });
    const first = await patch({ a: { x: 1 }, b: 1 });
    assert.deepEqual([first.status, first.headers.get("etag")], [200, '"2"']);
    const second = await patch({ a: { y: 2 } }, '"2"');
    assert.deepEqual(second.body.context, { a: { y: 2 }, b: 1 });
    assert.equal((await patch({ a: 0 }, '"2"')).status, 412);
    assert.equal((await patch({ a: 0 }, 'W/"3"')).status, 412, "a weak tag matches nothing");
    assert.equal((await patch({ a: 0 }, '"2", "3"')).status, 200);
    assert.equal((await patch({ a: 1 }, "*")).status, 200);
    assert.equal((await patch({ a: 0 }, "5")).status, 422);
    assert.equal((await ask(`GET /sessions/${id}`)).body.context.a, 1);
  });

  test("is read again only when it has changed", async () => {
    const { ask, session } = planeRig();
    const { id } = await session();
    const known = await ask(`GET /sessions/${id}`, { headers: { "if-none-match": '"1"' } });
    assert.deepEqual([known.status, known.text, known.headers.get("etag")], [304, "", '"1"']);
    await ask(`POST /sessions/${id}/touch`);
    assert.equal((await ask(`GET /sessions/${id}`, { headers: { "if-none-match": '"1"' } })).status, 200);
  });

  test("closed, revoked, unknown and foreign ones are one answer", async () => {
    const { ask, session, plane } = planeRig();
    const closed = await session();
    const revoked = await session();
    const foreign = await session("ann", { headers: { "haraka-tenant": "other" } });
    const left = await ask(`DELETE /sessions/${closed.id}`);
    assert.deepEqual([left.status, left.text], [204, ""]);
    await ask(`POST /sessions/${revoked.id}/rotate`);
    await plane.sessionOf(revoked.token);
    const answers = new Set<string>();
    const odd = ["x".repeat(100_000), "%00", "%ff", "%zz", "a%2Fb", "%E2%82%AC", ":", "%2e%2e%2f"];
    for (const id of [closed.id, revoked.id, foreign.id, "session_none", ...odd]) {
      for (const line of [
        `GET /sessions/${id}`,
        `POST /sessions/${id}/touch`,
        `POST /sessions/${id}/rotate`,
      ]) {
        const { status, text } = await ask(line);
        assert.equal(status, 404, line.slice(0, 50));
        answers.add(text);
      }
      assert.equal((await ask(`DELETE /sessions/${id}`)).status, 404);
      assert.equal((await ask(`PATCH /sessions/${id}`, { json: { context: {} } })).status, 404);
    }
    assert.equal(answers.size, 1, [...answers].join("\n"));
  });

  test("those of a user are listed page by page", async () => {
    const { ask, session } = planeRig();
    for (const user of ["ann", "bob", "ann", "ann"]) await session(user);
    const first = await ask("GET /sessions?user=ann&limit=2");
    assert.deepEqual([first.body.items.length, typeof first.body.cursor], [2, "string"]);
    const last = await ask(`GET /sessions?user=ann&limit=2&cursor=${first.body.cursor}`);
    assert.deepEqual([last.body.items.length, last.body.cursor], [1, null]);
    assert.equal((await ask("GET /sessions")).body.items.length, 4);
  });

  test("as a stream, each is told as it is after each change, and its end", async () => {
    const { request, ask, session } = planeRig();
    const bob = await session("bob");
    const response = await request("GET /sessions?user=ann", { headers: STREAM });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const events = eventsOf(response);
    const ann = await session("ann");
    const created = await events.next();
    assert.deepEqual([created?.id, created?.event, created?.data.id], [2, "session_created", ann.id]);
    await ask(`DELETE /sessions/${bob.id}`);
    await ask(`DELETE /sessions/${ann.id}`);
    const closed = await events.next();
    const again = eventsOf(await request("GET /sessions?user=ann&after=2", { headers: STREAM }));
    assert.deepEqual(await again.next(), closed, "also to who does not know that it was there");
    await again.cancel();
    assert.deepEqual(closed, { id: 4, event: "session_closed", data: { id: ann.id, state: "closed" } });
    await events.cancel();
  });
});

suite("a session's token", () => {
  const as = (token: string) => ({ headers: { "haraka-session": token } });

  test("reads that session and submits in it, and is refused everything else", async () => {
    const { ask, session } = planeRig();
    const mine = await session();
    const other = await session();
    const bearer = as(mine.token);
    const submit = (id: string) =>
      ask("POST /intents", { ...bearer, json: { type: "order.place", session: id, payload: {} } });
    assert.equal((await ask(`GET /sessions/${mine.id}`, bearer)).status, 200);
    const submitted = await submit(mine.id);
    assert.equal(submitted.status, 202);
    assert.equal((await ask(`GET /sessions/${other.id}`, bearer)).status, 404);
    assert.equal((await submit(other.id)).status, 404);
    const refused = [
      "GET /sessions",
      "POST /sessions",
      `PATCH /sessions/${mine.id}`,
      `DELETE /sessions/${mine.id}`,
      `POST /sessions/${mine.id}/touch`,
      `POST /sessions/${mine.id}/rotate`,
      "GET /executions",
      `GET /executions/${submitted.body.id}`,
      `POST /executions/${submitted.body.id}/cancel`,
      `POST /executions/${submitted.body.id}/resolve`,
      "GET /state/a",
      "GET /state/a/b",
      "PUT /state/a/b",
      "DELETE /state/a/b",
      "GET /wal",
    ];
    for (const line of refused) assert.equal((await ask(line, bearer)).status, 403, line);
  });

  test("is for its own tenant, whatever a header says", async () => {
    const { ask, session } = planeRig();
    const mine = await session("ann", { headers: { "haraka-tenant": "shop" } });
    const headers = { "haraka-session": mine.token, "haraka-tenant": "other" };
    assert.equal((await ask(`GET /sessions/${mine.id}`, { headers })).body.tenant, "shop");
  });

  test("forged or empty is 401 without a word, and so is one that was rotated away, which revokes", async () => {
    const { ask, session } = planeRig();
    const { id, token } = await session();
    for (const forged of ["", "x", `${token}x`, "secret_0"]) {
      const { status, body } = await ask(`GET /sessions/${id}`, as(forged));
      assert.deepEqual([status, body], [401, { type: "about:blank", title: "Unauthorized", status: 401 }]);
    }
    const rotated = await ask(`POST /sessions/${id}/rotate`);
    assert.deepEqual([rotated.status, rotated.headers.get("etag")], [200, '"2"']);
    assert.notEqual(rotated.body.token, token);
    assert.equal((await ask(`GET /sessions/${id}`, as(rotated.body.token))).status, 200);
    assert.equal((await ask(`GET /sessions/${id}`, as(token))).status, 401);
    assert.equal((await ask(`GET /sessions/${id}`, as(rotated.body.token))).status, 401);
    assert.equal((await ask(`GET /sessions/${id}`)).status, 404);
  });
});
