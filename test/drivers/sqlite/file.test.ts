// The schema of the SQLite file and how it is opened, and what becomes of keys that are removed, in memory, too.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { memoryEngine } from "../../../src/drivers/store-memory.ts";
import { sqliteEngine } from "../../../src/drivers/sqlite/engine.ts";
import { isOld, MIGRATIONS, openSqliteFile } from "../../../src/drivers/sqlite/file.ts";
import type { StoreEngine } from "../../../src/ports/store-engine.ts";
import { filled, type Folder, open, refused, storeFolder } from "../store-rig.ts";

describe("the schema", () => {
  const options = { failpoint: () => {}, create: true, thorough: false };

  test("an older one is brought to the newest, a newer one refused by who does not know it", async () => {
    using folder = await filled();
    const before = folder.hashes();
    const broken = [
      ...MIGRATIONS,
      "ALTER TABLE tenant ADD COLUMN note TEXT",
      "ALTER TABLE none ADD COLUMN x",
    ];
    assert.throws(
      () => openSqliteFile(folder.file, { ...options, migrations: broken }),
      /no such table: none/,
    );
    const newer = [...MIGRATIONS, "ALTER TABLE tenant ADD COLUMN note TEXT"];
    const database = openSqliteFile(folder.file, { ...options, migrations: newer });
    const versions = database.prepare("SELECT version FROM schema_version").all();
    assert.deepEqual(
      versions.map(({ version }) => version),
      [1, 2],
    );
    assert.equal(
      (database.prepare("SELECT count(*) AS count FROM log").get() as { count: number }).count,
      1_000,
    );
    database.close();
    assert.notDeepEqual(folder.hashes(), before);
    await refused(open(folder), /its schema has version 2, and this program knows 1/);
  });

  test("commits are synced, in a WAL, by the only connection", async () => {
    using folder = storeFolder();
    const database = openSqliteFile(join(folder.path, "haraka.db"), options);
    const value = (pragma: string) => Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
    assert.deepEqual(["journal_mode", "synchronous", "locking_mode"].map(value), ["wal", 2, "exclusive"]);
    database.close();
  });

  test("SQLite before 3.51.3 is too old", () => {
    assert.deepEqual(["3.51.2", "3.50.9", "2.99.99", "3.9"].map(isOld), [true, true, true, true]);
    assert.deepEqual(["3.51.3", "3.51.10", "3.52.0", "4.0"].map(isOld), [false, false, false, false]);
    const found = execFileSync(process.execPath, [
      "-e",
      `console.log(new (require("node:sqlite").DatabaseSync)(":memory:").prepare("SELECT sqlite_version() AS v").get().v)`,
    ]);
    assert.equal(isOld(found.toString().trim()), false);
  });
});

describe("removed keys", () => {
  const engines: Record<string, (folder: Folder) => StoreEngine> = {
    memory: () => memoryEngine({ removedMax: 3 }),
    sqlite: ({ path }) => {
      const file = join(path, "haraka.db");
      const options = { failpoint: () => {}, create: true, thorough: false };
      return sqliteEngine(openSqliteFile(file, options), { path: file, removedMax: 3 });
    },
  };
  for (const [name, make] of Object.entries(engines)) {
    test(`${name}: beyond a number of them their versions are forgotten, and still none is given again`, () => {
      using folder = storeFolder();
      const engine = make(folder);
      const write = (work: () => void): void => {
        engine.begin(1);
        work();
        engine.commit();
      };
      write(() => {
        for (let version = 1; version <= 5; version++) engine.put("t", { key: "a", value: "1" });
        engine.remove("t", "a");
      });
      let version = 0;
      write(() => (version = engine.put("t", { key: "b", value: "1" })));
      assert.equal(version, 1);
      for (const key of ["c", "d", "e"]) {
        write(() => engine.put("t", { key, value: "1" }));
        write(() => engine.remove("t", key));
      }
      write(() => (version = engine.put("t", { key: "a", value: "1" })));
      assert.ok(version > 5, `version ${version} was there before`);
      write(() => (version = engine.put("u", { key: "a", value: "1" })));
      assert.equal(version, 1);
      engine.close();
    });
  }
});
