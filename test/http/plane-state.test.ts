// The state surface over HTTP: versions in ETags and conditions on them, keys of any kind, lists, and watching without gaps.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventsOf, planeRig } from "./plane-rig.ts";

const STREAM = { accept: "text/event-stream" };

suite("an entry", () => {
  test("is written with 201, then 200, read and deleted", async () => {
    const { ask } = planeRig();
    const created = await ask("PUT /state/cart/a", { json: { value: { n: 1 } } });
    assert.deepEqual([created.status, created.headers.get("etag")], [201, '"1"']);
    assert.deepEqual(created.body, { namespace: "cart", key: "a", value: { n: 1 }, version: 1 });
    const written = await ask("PUT /state/cart/a", { json: { value: null, ttl: "10m" } });
    assert.deepEqual([written.status, written.headers.get("etag")], [200, '"2"']);
    assert.equal(written.body.expiresAt, "2026-01-01T00:10:00.000Z");
    assert.deepEqual((await ask("GET /state/cart/a")).body, written.body);
    assert.equal((await ask("GET /state/cart/a", { headers: { "if-none-match": '"2"' } })).status, 304);
    const deleted = await ask("DELETE /state/cart/a");
    assert.deepEqual([deleted.status, deleted.text], [204, ""]);
    assert.equal((await ask("GET /state/cart/a")).status, 404);
    assert.equal((await ask("DELETE /state/cart/a")).status, 404);
  });

  test("is written and deleted only if its version is that of If-Match, or there is none", async () => {
    const { ask } = planeRig();
    const put = (headers: Record<string, string>) => ask("PUT /state/a/k", { json: { value: 1 }, headers });
    const remove = (match: string) => ask("DELETE /state/a/k", { headers: { "if-match": match } });
    assert.equal((await put({ "if-match": '"1"' })).status, 412);
    assert.equal((await put({ "if-match": "*" })).status, 412);
    assert.equal((await put({ "if-none-match": "*" })).status, 201);
    assert.equal((await put({ "if-none-match": "*" })).status, 412);
    assert.equal((await put({ "if-match": '"1"' })).status, 200);
    assert.equal((await put({ "if-match": '"1", "2"' })).status, 200);
    assert.equal((await put({ "if-match": "*" })).status, 200);
    assert.equal((await put({ "if-match": '"something"' })).status, 412);
    assert.equal((await put({ "if-match": 'W/"4"' })).status, 412);
    assert.equal((await remove('"3"')).status, 412);
    assert.equal((await remove('"4"')).status, 204);
  });

  test("a condition that cannot be read is 422, not ignored", async () => {
    const { ask } = planeRig();
    const wrong = [
      [{ "if-match": "3" }, "If-Match"],
      [{ "if-match": '"3' }, "If-Match"],
      [{ "if-none-match": '"3"' }, "If-None-Match"],
      [{ "if-none-match": "*", "if-match": "*" }, "If-None-Match"],
    ] as const;
    for (const [headers, path] of wrong) {
      const { status, body } = await ask("PUT /state/a/k", { json: { value: 1 }, headers });
      assert.deepEqual([status, body.errors[0].path], [422, path]);
    }
    assert.equal((await ask("GET /state/a/k")).status, 404);
  });

  test("has a key of any Unicode, and never another's", async () => {
    const { ask } = planeRig();
    const keys = ["a:b", "a/b", "a%2Fb", "..", "../../etc", "a b+c", "ü€😀", "?x=1#y", "__proto__", "a,b"];
    for (const key of keys) {
      const path = `/state/${encodeURIComponent(`n${key}`)}/${encodeURIComponent(key).replaceAll(".", "%2e")}`;
      // A URL takes `..` for a step up, however it is written.
      if (key === "..") continue;
      assert.equal((await ask(`PUT ${path}`, { json: { value: key } })).status, 201, key);
      const { body } = await ask(`GET ${path}`);
      assert.deepEqual([body.namespace, body.key, body.value], [`n${key}`, key, key]);
    }
    assert.equal((await ask("GET /state/na/b")).status, 404);
  });

  test("a key that cannot be is 422", async () => {
    const { ask } = planeRig();
    for (const key of [
      "%00",
      "a%0Ab",
      "%ff",
      "%zz",
      "k".repeat(513),
      "%F0%9F%98%80".repeat(129),
      "k".repeat(1024 ** 2),
    ]) {
      const { status, body } = await ask(`PUT /state/a/${key}`, { json: { value: 1 } });
      assert.deepEqual([status, body.errors[0].path], [422, "key"], key.slice(0, 20));
      assert.equal((await ask(`GET /state/a/${key}`)).status, 422);
      assert.equal((await ask(`GET /state/${key}`)).body.errors[0].path, "namespace");
    }
    assert.equal((await ask(`PUT /state/a/${"k".repeat(512)}`, { json: { value: 1 } })).status, 201);
    assert.equal((await ask("PUT /state/a/", { json: { value: 1 } })).status, 404);
    assert.equal((await ask("PUT /state/a/b/c", { json: { value: 1 } })).status, 404);
  });

  test("holds any JSON as it was sent", async () => {
    const { ask } = planeRig();
    const values = [
      "null",
      "false",
      "0",
      '""',
      "[]",
      '{"__proto__":{"a":1},"constructor":1}',
      '"\\u0000\\ud800"',
      "1e308",
    ];
    for (const value of values) {
      const headers = { "content-type": "application/json" };
      const put = await ask("PUT /state/a/k", { body: `{"value":${value}}`, headers });
      assert.ok(put.status < 300, value);
      assert.equal(
        JSON.stringify((await ask("GET /state/a/k")).body.value),
        JSON.stringify(JSON.parse(value)),
      );
    }
  });
});

suite("a namespace", () => {
  test("is listed by key, from a prefix on, page by page", async () => {
    const { ask } = planeRig();
    for (const key of ["b", "user:2", "user:1", "user:3"])
      await ask(`PUT /state/a/${key}`, { json: { value: key } });
    await ask("PUT /state/other/user:9", { json: { value: 9 } });
    const first = await ask("GET /state/a?prefix=user:&limit=2");
    const keys = (body: { items: { key: string }[] }) => body.items.map(({ key }) => key);
    assert.deepEqual(keys(first.body), ["user:1", "user:2"]);
    const last = await ask(
      `GET /state/a?prefix=user:&limit=2&cursor=${encodeURIComponent(first.body.cursor)}`,
    );
    assert.deepEqual([keys(last.body), last.body.cursor], [["user:3"], null]);
    assert.deepEqual((await ask("GET /state/none")).body, { items: [], cursor: null });
    assert.equal((await ask("GET /state/a", { headers: { "haraka-tenant": "other" } })).body.items.length, 0);
  });

  test("as a stream, every change comes once, in order, from behind what was seen", async () => {
    const { ask, request } = planeRig();
    await ask("PUT /state/a/x", { json: { value: 1 } });
    await ask("PUT /state/b/x", { json: { value: 0 } });
    await ask("PUT /state/a/x", { json: { value: 2 } });
    await ask("PUT /state/a/other", { json: { value: 0 } });
    await ask("DELETE /state/a/x");
    const watch = async (query: string, headers = {}) => {
      const events = eventsOf(
        await request(`GET /state/a?prefix=x${query}`, { headers: { ...STREAM, ...headers } }),
      );
      const first = await events.next();
      return { events, first };
    };
    const { events, first } = await watch("");
    const data = { seq: 1, namespace: "a", key: "x", type: "written", value: 1, version: 1 };
    assert.deepEqual(first, { id: 1, event: "state_written", data });
    assert.deepEqual((await events.next())?.data.value, 2);
    const deleted = { seq: 5, namespace: "a", key: "x", type: "deleted", version: 2 };
    assert.deepEqual((await events.next())?.data, deleted);
    await events.cancel();
    const again = await watch("&after=1");
    assert.equal(again.first?.id, 3);
    await again.events.cancel();
    const later = await watch("&after=1", { "last-event-id": "3" });
    assert.equal(later.first?.id, 5, "what was seen goes before what the URL says");
    await later.events.cancel();
  });
});
