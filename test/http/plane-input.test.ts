// Bad input: what cannot be read, is too large, too deep or of the wrong type is refused with all that is wrong, and never costs
// more than it may; a store that is lost and a fault of ours are told apart.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { PLANE_LIMITS } from "../../src/http/plane-limits.ts";
import { planeRig } from "./plane-rig.ts";

const JSON_TYPE = { "content-type": "application/json" };

suite("a body", () => {
  test("of wrong types is 422 with every one of them", async () => {
    const { ask } = planeRig();
    const json = { user: 1, context: [], idle: 30, absolute: "0s", tenant: "x", usr: "ann" };
    const { status, body } = await ask("POST /sessions?limit=1", { json });
    assert.equal(status, 422);
    assert.deepEqual(body.errors, [
      { path: "limit", message: "unknown" },
      { path: "user", message: "expected text, got a number" },
      { path: "context", message: "expected a map" },
      {
        path: "idle",
        message: "expected a duration such as 250ms, 5s, 2m or 1h, got 30 without a unit: write 30s or 30ms",
      },
      { path: "absolute", message: "expected more than 0s" },
      { path: "tenant", message: "unknown" },
      { path: "usr", message: 'unknown; did you mean "user"?' },
    ]);
    assert.match(body.detail, /user: expected text/);
  });

  test("that is missing, or no map, is 422", async () => {
    const { ask } = planeRig();
    for (const body of ["", "  ", "null", "[]", "1", '"x"']) {
      const answer = await ask("POST /sessions", { body, headers: JSON_TYPE });
      assert.equal(answer.status, 422, body);
    }
    const intent = await ask("POST /intents", { json: {} });
    assert.deepEqual(
      intent.body.errors.map(({ path }: { path: string }) => path),
      ["type", "session", "payload"],
    );
    assert.equal((await ask("PUT /state/a/b", { json: {} })).body.errors[0].message, "expected a value");
  });

  test("that is no JSON in UTF-8 is 400", async () => {
    const { ask } = planeRig();
    const wrong = [
      "{",
      "{'user':1}",
      "user=ann",
      '{"user":"ann"}}',
      new Uint8Array([0x22, 0xff, 0xfe, 0x22]),
      "\u0000",
    ];
    for (const body of wrong) {
      assert.equal((await ask("POST /sessions", { body, headers: JSON_TYPE })).status, 400, String(body));
    }
    const cut = new TextEncoder().encode('{"user":"ü').subarray(0, -1);
    assert.match((await ask("POST /sessions", { body: cut, headers: JSON_TYPE })).body.detail, /UTF-8/);
  });

  test("of another type is 415", async () => {
    const { ask } = planeRig();
    const post = (type: string) =>
      ask("POST /sessions", { body: '{"user":"ann"}', headers: { "content-type": type } });
    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain;charset=UTF-8",
      "text/json",
      "application/jsonp",
      "application/json; charset=latin1",
      "multipart/form-data; boundary=x",
    ]) {
      assert.equal((await post(type)).status, 415, type);
    }
    for (const type of [
      "application/json",
      "Application/JSON; charset=utf-8",
      "application/merge-patch+json",
    ])
      assert.equal((await post(type)).status, 201, type);
  });

  test("over the limit is 413, and what is over it is not read", async () => {
    const { ask } = planeRig();
    const fits = { value: "x".repeat(PLANE_LIMITS.bodyBytesMax - '{"value":""}'.length) };
    assert.equal((await ask("PUT /state/a/k", { json: fits })).status, 201);
    const over = await ask("PUT /state/a/k", { json: { value: `${fits.value}x` } });
    assert.deepEqual([over.status, over.body.detail.includes("1048576 bytes")], [413, true]);
    let read = 0;
    let isCancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(32));
      },
      cancel: () => void (isCancelled = true),
    });
    const init = { body: endless, headers: JSON_TYPE, duplex: "half" } as object;
    assert.equal((await ask("PUT /state/a/k", init)).status, 413);
    assert.ok(read < 2 * PLANE_LIMITS.bodyBytesMax, String(read));
    assert.ok(isCancelled);
    const lying = { ...JSON_TYPE, "content-length": "1048577" };
    assert.equal((await ask("PUT /state/a/k", { body: "{}", headers: lying })).status, 413);
  });

  test("nested over 64 is 422, however large and whatever it would have been", async () => {
    const { ask } = planeRig();
    const put = (value: string) => ask("PUT /state/a/k", { body: `{"value":${value}}`, headers: JSON_TYPE });
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    assert.equal((await put(nested(63))).status, 201);
    for (const deep of [nested(64), nested(500_000), '{"a":'.repeat(100_000), "[".repeat(1_000_000)]) {
      const { status, body } = await put(deep);
      assert.equal(status, 422);
      assert.match(body.errors[0].message, /64 deep/);
    }
    assert.equal((await put(JSON.stringify(`\\"${"[".repeat(1000)}`))).status, 200, "not in a text");
    assert.equal((await put(`[${"[],".repeat(1000)}1]`)).status, 200, "not beside each other");
  });

  test("with a whole number that would be rounded is 422, and names it", async () => {
    const { ask } = planeRig();
    const put = (value: string) => ask("PUT /state/a/k", { body: `{"value":${value}}`, headers: JSON_TYPE });
    for (const value of ["9007199254740993", "-9007199254740993", '[1,{"a":12345678901234567890 }]']) {
      const { status, body } = await put(value);
      assert.equal(status, 422, value);
      const [digits] = /\d{16,}/.exec(value) ?? [];
      const message = `expected whole numbers that are kept as they are, got ${digits}; send it as a text`;
      assert.deepEqual(body.errors, [{ path: "", message }]);
    }
    for (const value of [
      "9007199254740992",
      "-9007199254740991",
      "10000000000000000000000",
      '"9007199254740993"',
      '{"9007199254740993":"\\"9007199254740993"}',
      "0.12345678901234567890",
      "12345678901234567.5",
      "1e00000000000000000001",
      "1e-00000000000000000001",
    ])
      assert.ok((await put(value)).status < 300, value);
  });

  test("with a number that would be lost is 422", async () => {
    const { ask } = planeRig();
    for (const value of ["1e999", '[{"a":-1e400}]', "9".repeat(400)])
      assert.equal(
        (await ask("PUT /state/a/k", { body: `{"value":${value}}`, headers: JSON_TYPE })).status,
        422,
      );
  });

  test("has names without NULs, lone surrogates or a megabyte", async () => {
    const { ask } = planeRig();
    for (const user of ["", "a\0b", "\n", "\ud800", "u".repeat(513), "u".repeat(500_000), "ü".repeat(257)]) {
      const { status, body } = await ask("POST /sessions", { json: { user } });
      assert.deepEqual([status, body.errors.length, body.errors[0].path], [422, 1, "user"], user.slice(0, 9));
    }
    assert.equal((await ask("POST /sessions", { json: { user: "😀 a:b/../ü" } })).status, 201);
  });

  test("that is not wanted is not looked at", async () => {
    const { ask, session } = planeRig();
    const { id } = await session();
    assert.equal((await ask(`POST /sessions/${id}/touch`, { body: "\xff", headers: JSON_TYPE })).status, 200);
  });
});

suite("a path", () => {
  test("that no operation has is 404, a wrong method 405 with those that are right", async () => {
    const { ask } = planeRig();
    for (const path of [
      "/",
      "/sessionz",
      "/sessions/",
      "//sessions",
      "/sessions/a/b/c",
      "/state",
      "/wal/1",
      "/%2e%2e",
    ])
      assert.equal((await ask(`GET ${path}`)).status, 404, path);
    for (const [line, allow] of [
      ["PUT /sessions", "POST, GET, HEAD"],
      ["POST /wal", "GET, HEAD"],
      ["DELETE /intents", "POST"],
      ["OPTIONS /state/a/b", "GET, HEAD, PUT, DELETE"],
      ["PROPFIND /executions/x", "GET, HEAD"],
    ]) {
      const { status, headers } = await ask(line!);
      assert.deepEqual([status, headers.get("allow")], [405, allow], line);
    }
  });

  test("HEAD is GET without its content", async () => {
    const { ask } = planeRig();
    await ask("PUT /state/a/k", { json: { value: 1 } });
    const head = await ask("HEAD /state/a/k");
    assert.deepEqual([head.status, head.text, head.headers.get("etag")], [200, "", '"1"']);
    assert.equal((await ask("HEAD /state/a/none")).status, 404);
  });

  test("a query's names and values may be anything, and are answered", async () => {
    const { ask } = planeRig();
    for (const query of [
      "__proto__=1",
      "a[]=1&a[]=2",
      "=&=",
      "%ff=%ff",
      "limit",
      "limit=1&limit=2",
      `${"x".repeat(10_000)}=1`,
    ])
      assert.ok([200, 422].includes((await ask(`GET /wal?${query}`)).status), query);
  });
});

suite("when it is not the asker's fault", () => {
  test("a lost store is 503 with when to come back, and nothing of what it says", async () => {
    const { ask, plane, session, errors } = planeRig();
    const { id } = await session();
    plane.fails(new StoreError("cannot write /data/haraka.db: no space left"));
    const json = { value: 1 };
    for (const [line, options] of [
      ["PUT /state/a/b", { json }],
      ["GET /state/a/b", {}],
      [`GET /sessions/${id}`, {}],
      [`GET /sessions/${id}`, { headers: { "haraka-session": "x" } }],
      ["GET /wal", {}],
      ["GET /executions/x?wait=1s", {}],
    ] as const) {
      const { status, headers, text } = await ask(line, options);
      assert.deepEqual([status, headers.get("retry-after")], [503, "1"], line);
      assert.doesNotMatch(text, /haraka\.db/);
    }
    assert.deepEqual(errors, []);
  });

  test("a plane that is not there yet is 503", async () => {
    const { ask } = planeRig({ plane: () => undefined });
    assert.equal((await ask("GET /wal")).status, 503);
  });

  test("a fault of ours is 500 without its words, which the log has", async () => {
    const { ask, plane, errors } = planeRig();
    plane.fails(new TypeError("secret is not a function"));
    const { status, text } = await ask("GET /state/a/b");
    assert.equal(status, 500);
    assert.doesNotMatch(text, /secret/);
    assert.match(errors[0]!, /GET \/api\/v1\/state\/a\/b: secret is not a function/);
  });
});
