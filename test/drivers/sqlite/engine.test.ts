// The SQLite file of a store: whose it is, what is refused with its bytes as they were, what is done when the disk is full, and what
// outlives the process.
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { openStoreAt } from "../../../src/compose/store-at.ts";
import { testClock } from "../../../src/compose/testing.ts";
import { MIGRATIONS } from "../../../src/drivers/sqlite/file.ts";
import { done, record } from "../../contracts/store-tools.ts";
import { filled, open, refused, storeFolder, Writer } from "../store-rig.ts";

describe("the holder", () => {
  test("a second process is refused by the first one's pid and host, and the files stay as they are", async () => {
    using folder = await filled();
    await using holder = new Writer(`sqlite:${folder.file}`);
    await holder.until((lines) => lines.length > 0);
    const before = folder.hashes();
    const says = new RegExp(
      `^cannot open the database .*haraka.db: pid ${holder.child.pid} on host ${hostname()} holds it since 20\\d\\d-.*Z; stop that one first`,
    );
    await refused(open(folder), says);
    // The refused one did not take the lock away either.
    await refused(open(folder), says);
    assert.deepEqual(folder.hashes(), before);
    holder.child.stdin?.end();
    await holder.ended;
    assert.deepEqual(holder.lines, ["open", "closed"]);
    assert.equal(existsSync(`${folder.file}.holder`), false);
    await (await open(folder)).close();
  });

  test("a process refuses itself, and stays the holder for others", async () => {
    using folder = storeFolder();
    const store = await open(folder);
    await refused(open(folder), new RegExp(`pid ${process.pid} on host .*, this very process, holds it`));
    await using other = new Writer(`sqlite:${folder.path}/haraka.db`);
    await other.ended;
    assert.match(other.lines[0] ?? "", new RegExp(`^error cannot open .*pid ${process.pid} on host`));
    await done(store.commit("t", { append: [record()] }));
    await store.close();
  });

  test("by another name it is the same database", async () => {
    using folder = storeFolder();
    symlinkSync("haraka.db", join(folder.path, "link.db"));
    mkdirSync(join(folder.path, "real"));
    symlinkSync("real", join(folder.path, "data"));
    const [first, second] = [await open(folder), await open(folder, { name: "data/haraka.db" })];
    await refused(open(folder, { name: "link.db" }), /holds it/);
    await refused(open(folder, { name: "real/haraka.db" }), /holds it/);
    await first.close();
    await second.close();
  });

  test("one that was killed holds it no more", async () => {
    using folder = await filled();
    await using holder = new Writer(`sqlite:${folder.file}`);
    await holder.until((lines) => lines.length > 0);
    await holder.kill();
    assert.equal(JSON.parse(readFileSync(`${folder.file}.holder`, "utf8")).pid, holder.child.pid);
    const store = await open(folder);
    assert.equal(JSON.parse(readFileSync(`${folder.file}.holder`, "utf8")).pid, process.pid);
    await store.close();
  });

  test("somebody who has the file open beside the lock is no reason to write", async () => {
    using folder = await filled();
    const other = new DatabaseSync(folder.file);
    other.exec("BEGIN IMMEDIATE");
    await refused(open(folder), /cannot open the database .*haraka.db: database is locked/);
    other.close();
    await (await open(folder)).close();
  });
});

describe("refused with its bytes as they were:", () => {
  const half = (file: string): void => truncateSync(file, Math.floor(statSync(file).size / 2));
  const overwrite = (file: string, at: number, bytes: Uint8Array): void => {
    const content = readFileSync(file);
    content.set(bytes, at);
    writeFileSync(file, content);
  };
  const noise = Uint8Array.from({ length: 6_000 }, (_, index) => (index * 7919) % 251);
  const inDatabase = (file: string, sql: string): void => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  };
  const damages: Record<string, [damage: (file: string) => void, says: RegExp]> = {
    "an empty file": [(file) => truncateSync(file, 0), /it is empty; it is left as it was: put a backup/],
    "a text file": [(file) => writeFileSync(file, "a: 1\n".repeat(100)), /it is no SQLite database/],
    "fifty bytes": [(file) => truncateSync(file, 50), /it is no SQLite database/],
    "half a file": [half, /it is cut off: \d+ of \d+ bytes are there/],
    "a broken page": [(file) => overwrite(file, 3 * 4096, noise), /it is corrupt \(/],
    "a broken first page": [(file) => overwrite(file, 100, noise), /it is corrupt \(/],
    "a broken header": [(file) => overwrite(file, 16, noise.subarray(0, 8)), /it is (corrupt|cut off)/],
    "another program's": [
      (file) => {
        rmSync(file);
        inDatabase(file, "CREATE TABLE a (b); INSERT INTO a VALUES (1)");
      },
      /it is a SQLite database of another program/,
    ],
    "a newer version's": [
      (file) => inDatabase(file, "PRAGMA user_version = 99"),
      new RegExp(
        `its schema has version 99, and this program knows ${MIGRATIONS.length}; use the newer version`,
      ),
    ],
  };
  for (const [name, [damage, says]] of Object.entries(damages)) {
    test(name, async () => {
      using folder = await filled();
      copyFileSync(folder.file, `${folder.file}.backup`);
      damage(folder.file);
      const before = folder.hashes();
      await refused(open(folder), new RegExp(`cannot open the database ${folder.file}: ${says.source}`));
      await refused(open(folder, { thorough: true }), says);
      assert.deepEqual(folder.hashes(), before);
      // It holds nothing, either: with a backup in its place it opens.
      renameSync(`${folder.file}.backup`, folder.file);
      const store = await open(folder, { create: false });
      assert.equal((await store.log("t", { after: 999, limit: 2 })).length, 1);
      await store.close();
    });
  }

  test("a broken file with a WAL that has not been moved into it", async () => {
    using folder = await filled();
    await using writer = new Writer(`sqlite:${folder.file}`, { writers: 2 });
    await writer.until((lines) => lines.length > 20);
    await writer.kill();
    assert.ok(statSync(`${folder.file}-wal`).size > 0);
    // Of a tenant that was not written to: it does not stand in the WAL, too.
    overwrite(folder.file, 20 * 4096, noise);
    const before = folder.hashes();
    await refused(open(folder), /it is corrupt/);
    assert.deepEqual(folder.hashes(), before);
  });

  test("what cannot be read is not called corrupt: nobody is to put a backup in its place", async () => {
    using folder = await filled();
    const other = new DatabaseSync(folder.file);
    const says =
      /it cannot be read \(.*\); it is left as it was: see to the disk, which may be full, and to who else/;
    const before = folder.hashes();
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    await refused(open(folder), says);
    other.exec("ROLLBACK");
    other.close();
    assert.deepEqual(folder.hashes(), before);
    await (await open(folder)).close();
  });

  test("a WAL whose database is gone", async () => {
    using folder = await filled();
    await using writer = new Writer(`sqlite:${folder.file}`, { writers: 2 });
    await writer.until((lines) => lines.length > 20);
    await writer.kill();
    renameSync(folder.file, `${folder.file}.away`);
    const before = folder.hashes();
    await refused(
      open(folder),
      /there is no such file, but its .*haraka.db-wal is there; put the database back/,
    );
    assert.deepEqual(folder.hashes(), before);
    renameSync(`${folder.file}.away`, folder.file);
    const store = await open(folder);
    assert.ok((await store.tenants()).length > 1);
    await store.close();
  });

  test("a folder, and a file that is not there and is not to be made", async () => {
    using folder = storeFolder();
    mkdirSync(join(folder.path, "haraka.db"));
    await refused(open(folder), /haraka.db: it is a folder; name a file/);
    await refused(open(folder, { name: "x/none.db", create: false }), /none.db: there is no such file/);
    assert.equal(existsSync(join(folder.path, "x")), false);
    assert.equal(existsSync(join(folder.path, "haraka.db.lock")), false);
  });

  test("a folder that is a file, and what is no URL of a store", async () => {
    using folder = storeFolder();
    writeFileSync(join(folder.path, "x"), "");
    await refused(open(folder, { name: "x/haraka.db" }), /cannot open the database .*haraka.db: /);
    for (const url of ["haraka.db", "sqlite:", "memory:x", "postgres://x", ""])
      await assert.rejects(openStoreAt(url, { clock: testClock(), cwd: folder.path }), {
        name: "UsageError",
      });
  });

  test("a file and a folder that may not be written", async () => {
    using folder = await filled();
    const readOnly = `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`;
    const prefix = ["unshare", "--mount", "sh", "-c", readOnly, folder.path];
    const before = folder.hashes();
    await using writer = new Writer(`sqlite:${folder.file}`, { prefix });
    await writer.ended;
    assert.match(
      writer.lines[0] ?? "",
      /^error cannot open the database .*haraka.db: .*\/haraka-store-.*; .*mount a volume there, or name another path/,
    );
    assert.deepEqual(folder.hashes(), before);
    const file = `mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"`;
    await using onFile = new Writer(`sqlite:${folder.file}`, {
      prefix: ["unshare", "--mount", "sh", "-c", file, folder.file],
    });
    await onFile.ended;
    assert.match(
      onFile.lines[0] ?? "",
      /may not write it: it belongs to uid \d+, mode 0600; chown or chmod it \(EROFS/,
    );
    assert.deepEqual(folder.hashes(), before);
  });
});

test(
  "a full disk stops all acknowledging for good, and keeps what was acknowledged",
  { timeout: 60_000 },
  async () => {
    using folder = storeFolder();
    mkdirSync(join(folder.path, "full"));
    const script = `mount -t tmpfs -o size=3m tmpfs "$0/full" && "$@"; cp "$0"/full/haraka.db* "$0"`;
    const prefix = ["unshare", "--mount", "sh", "-c", script, folder.path];
    await using writer = new Writer(`sqlite:${folder.path}/full/haraka.db`, { writers: 8, prefix });
    await writer.ended;
    const [lost, ...rest] = writer.lines.filter((line) => !line.startsWith("ack "));
    assert.equal(lost, "open");
    assert.match(
      rest[0] ?? "",
      /^lost cannot write to the database .*(full|I\/O error); nothing is acknowledged any/,
    );
    const later = Array.from({ length: 3 }, () => "later StoreError");
    assert.deepEqual(rest.slice(1), ["rejected 1", ...later, "closed"]);
    const acknowledged = writer.acknowledged;
    assert.ok(acknowledged.length > 100);
    const store = await open(folder, { thorough: true });
    const records = (await store.tenants()).reduce((sum, { lastSeq }) => sum + lastSeq, 0);
    await store.close();
    assert.ok(records >= acknowledged.length * 2, `${records} records, ${acknowledged.length} commits`);
  },
);

describe("what outlives the process:", () => {
  test("the log, entries, versions and open executions", async () => {
    using folder = storeFolder();
    let store = await open(folder);
    const write = (value: number) =>
      store.commit("a:b", {
        append: [record("execution_1", value)],
        put: [
          { key: "k", value },
          { key: "open/execution_1", value: { definition: "d" } },
        ],
      });
    await done(write(1));
    await done(store.commit("a:b", { put: [{ key: "gone", value: 1 }] }));
    await done(store.commit("a:b", { remove: ["gone"] }));
    const [owner] = await store.claim({ limit: 1 });
    assert.ok(owner);
    await store.close();
    store = await open(folder);
    // Whoever owned it has died.
    assert.deepEqual(await store.commit("a:b", { owner }), { ok: false, reason: "fenced" });
    assert.equal((await store.claim({ known: ["d"], limit: 9 })).length, 1);
    const { firstSeq, versions } = await done(write(2));
    assert.deepEqual([firstSeq, versions], [2, [2, 2]]);
    assert.deepEqual((await done(store.commit("a:b", { put: [{ key: "gone", value: 2 }] }))).versions, [2]);
    const log = await store.log("a:b", { after: 0, limit: 9, execution: "execution_1" });
    assert.deepEqual(
      log.map(({ payload }) => payload),
      [1, 2],
    );
    await store.close();
  });

  test("the time, when the clock has been set back in between", async () => {
    using folder = storeFolder();
    const startMs = Date.UTC(2026, 0, 1);
    let store = await open(folder, { clock: testClock({ startMs }) });
    await done(store.commit("t", { put: [{ key: "k", value: 1, expiresAtMs: startMs }] }));
    await store.close();
    store = await open(folder, { clock: testClock({ startMs: startMs - 3_600_000 }) });
    assert.deepEqual(await store.get("t", ["k"]), [undefined]);
    assert.equal((await done(store.commit("t", { append: [record()] }))).timeMs, startMs);
    await store.close();
  });

  test("nothing beside the database once it is closed, and nobody else may read it", async () => {
    using folder = await filled();
    assert.deepEqual(Object.keys(folder.hashes()), ["haraka.db"]);
    for (const name of ["haraka.db", "haraka.db.lock"])
      assert.equal(statSync(join(folder.path, name)).mode & 0o777, 0o600);
  });
});
