// What the URL of a store may be, and what it means.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type NamedStore, readStoreUrl, withoutPassword } from "../../src/config/store-url.ts";

const meanings: [url: string, meaning: NamedStore | undefined][] = [
  ["memory", { driver: "memory" }],
  ["memory:", { driver: "memory" }],
  ["memory:x", undefined],
  ["sqlite:app.db", { driver: "sqlite", path: "/srv/app.db" }],
  ["sqlite:../a b?#.db", { driver: "sqlite", path: "/a b?#.db" }],
  ["sqlite:/data/app.db", { driver: "sqlite", path: "/data/app.db" }],
  ["sqlite:", undefined],
  ["app.db", undefined],
  ["", undefined],
  ["postgres://host/0", undefined],
  ["redis://host", { driver: "redis", url: "redis://host" }],
  ["rediss://ann:secret@host:7000/2", { driver: "redis", url: "rediss://ann:secret@host:7000/2" }],
  ["redis://host/0?namespace=a%20b", { driver: "redis", url: "redis://host/0", namespace: "a b" }],
  ["redis://host/0?namespace=", undefined],
  ["redis://host/0?namespace=a&db=1", undefined],
  ["redis://host/zero", undefined],
  ["redis://", undefined],
];

for (const [url, meaning] of meanings) {
  test(`${JSON.stringify(url)} ${meaning ? `names a store: ${meaning.driver}` : "names no store"}`, () => {
    assert.deepEqual(readStoreUrl(url, { cwd: "/srv" }), meaning);
  });
}

test("a message has no password, nor who has it", () => {
  assert.equal(withoutPassword("redis://ann:secret@host/0"), "redis://host/0");
  assert.equal(withoutPassword("sqlite:app.db"), "sqlite:app.db");
});
