// What nobody should send to the plane of the compiled binary, and somebody will: each is refused by name, and after all of it the
// runtime answers as before, with nothing of it kept.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type PlaneClient, planeOf } from "./support/plane.ts";
import { type Runtime, start } from "./support/runtime.ts";

const FILES = {
  "runtime.yaml": "plane: {}\nservices: { shop: { entrypoint: ./shop.ts } }",
  "shop.ts": `export default { startup() { this.runtime.intents.register("note", {}, ({ input }) => input); } };`,
};

let runtime: Runtime;
let plane: PlaneClient;
before(async () => {
  runtime = await start({ files: FILES }).started();
  plane = await planeOf(runtime);
});
after(() => runtime[Symbol.asyncDispose]());

const nested = (depth: number, [open, close]: readonly [string, string]) =>
  `{"user":"ann","context":{"a":${open.repeat(depth)}1${close.repeat(depth)}}}`;

describe("a body", () => {
  for (const [name, body, status, says] of [
    ["that is no JSON", '{"user":"ann"', 400, /it is not JSON/],
    ["that is no map", "[]", 422, /expected a map, got a list/],
    ["that is empty", "", 422, /expected a map/],
    ["65 deep", nested(63, ['{"a":', "}"]), 422, /at most 64 deep/],
    ["200,000 deep", nested(200_000, ["[", "]"]), 422, /at most 64 deep/],
    ["of more than 1 MiB", `{"user":"${"x".repeat(1_100_000)}"}`, 413, /larger than 1048576 bytes/],
    ["with a name of 1 MiB", `{"user":"${"x".repeat(1_000_000)}"}`, 422, /user: expected at most 512 bytes/],
    ["with a NUL in a name", '{"user":"a\\u0000b"}', 422, /user: expected text without control/],
    ["with half a character", '{"user":"\\ud800"}', 422, /^cannot use this request: user: /],
    ["with an unknown key", '{"user":"ann","tenant":"x"}', 422, /tenant: unknown/],
    ["with a prototype", '{"user":"ann","__proto__":{"x":1}}', 422, /__proto__: unknown/],
    ["with a number that is none", '{"user":"ann","context":{"n":1e999}}', 422, /numbers that JSON can hold/],
  ] as const) {
    test(`${name} is refused with ${status}`, async () => {
      const answer = await plane.ask("POST /sessions", { body });
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.match(answer.body.detail, says);
    });
  }

  test("64 deep, and with the keys of every object, is kept as it is", async () => {
    const body = `{"user":"ann","context":{"__proto__":{"x":1},"constructor":1,"a":${"[".repeat(62)}${"]".repeat(62)}}}`;
    const made = await plane.ask("POST /sessions", { body });
    assert.equal(made.status, 201, made.text);
    const read = await plane.ask(`GET /sessions/${made.body.id}`);
    assert.deepEqual(JSON.stringify(read.body.context), JSON.stringify(JSON.parse(body).context));
  });
});

describe("a key", () => {
  test("is what it is: blanks, colons, slashes, dots, percents and other alphabets", async () => {
    const keys = [
      "a:b",
      "a/b",
      "../x",
      "..x",
      " ",
      "*",
      "%",
      "%2F",
      "a?b",
      "€",
      "😀",
      "a".repeat(512),
      "é",
      "e\u0301",
    ];
    for (const key of keys) {
      const path = `/state/odd/${encodeURIComponent(key)}`;
      assert.equal((await plane.ask(`PUT ${path}`, { json: { value: key } })).status, 201, key);
      assert.equal((await plane.ask(`GET ${path}`)).body.key, key);
    }
    const { items } = (await plane.ask("GET /state/odd?limit=100")).body;
    assert.deepEqual(items.map(({ value }: { value: string }) => value).toSorted(), keys.toSorted());
  });

  for (const [name, path, status] of [
    ["of 513 bytes", `/state/n/${"k".repeat(513)}`, 422],
    ["with a NUL", "/state/n/a%00b", 422],
    ["that is no UTF-8", "/state/n/%ff", 422],
    ["with half a character", "/state/n/%ED%A0%80", 422],
    ["that is empty", "/state/n/", 404],
    ["in two parts", "/state/n/a/b", 404],
  ] as const) {
    test(`${name} is refused with ${status}`, async () => {
      assert.equal((await plane.ask(`PUT ${path}`, { json: { value: 1 } })).status, status);
    });
  }

  test("of 1 MiB is refused before it is read, and the next request is served", async () => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(await runtime.url()).port) });
    socket.on("error", () => {});
    socket.write(`PUT /api/v1/state/n/${"k".repeat(1_048_576)} HTTP/1.1\r\nHost: localhost\r\n`);
    const [answer] = await once(socket, "data");
    assert.match(String(answer), /^HTTP\/1\.1 4(14|31) /);
    socket.destroy();
    assert.equal((await plane.ask("GET /state/n")).status, 200);
  });

  test("of one tenant is never another's, whatever the tenant is called", async () => {
    for (const tenant of ["a", "a:b", "a/b", "a%2Fb"]) {
      const headers = { "haraka-tenant": tenant };
      await plane.ask("PUT /state/t/k", { json: { value: tenant }, headers });
    }
    for (const tenant of ["a", "a:b", "a/b", "a%2Fb"]) {
      const { body } = await plane.ask("GET /state/t/k", { headers: { "haraka-tenant": tenant } });
      assert.deepEqual([body.value, body.version], [tenant, 1]);
    }
  });
});

describe("a number in a query", () => {
  for (const [query, says] of [
    ["after=-1", "after: expected a whole number from 0 to 9007199254740991"],
    ["after=1e3", "after: expected a whole number from 0 to 9007199254740991"],
    ["limit=ten", "limit: expected a whole number from 1 to 1000"],
    ["limit=0", "limit: expected a whole number from 1 to 1000"],
    ["limit=1&limit=2", "limit: expected a whole number from 1 to 1000"],
  ] as const) {
    test(`such as ${query} is refused with what it may be`, async () => {
      const { status, body } = await plane.ask(`GET /wal?${query}`);
      assert.deepEqual([status, body.detail], [422, `cannot use this request: ${says}`]);
    });
  }
});

describe("an id", () => {
  for (const id of ["..%2F..%2Fhealth", "session_x:y", "%F0%9F%98%80", "a%00b", "x".repeat(2_000), "%ff"]) {
    test(`such as ${id.slice(0, 20)} is nobody's`, async () => {
      for (const list of ["sessions", "executions"])
        assert.equal((await plane.ask(`GET /${list}/${id}`)).status, 404);
    });
  }
});

test("after all of it the runtime is as it was, and its log is sound", async () => {
  const session = await plane.session();
  assert.equal((await plane.done("note", { session, payload: 1 })).result, 1);
  assert.equal((await runtime.get("/health/ready")).status, 200);
  assert.equal(runtime.stderr, "");
  assert.ok(!runtime.records.some(({ level }) => level === "error"));
});
