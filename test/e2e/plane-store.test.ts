// The database under the compiled binary when something is wrong with it: held by another, damaged, not to be written, or lost while
// it runs. What cannot be used is refused with 75 and left as it was; what was acknowledged is there.
import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { planeOf } from "./support/plane.ts";
import { haraka, type Runtime, start } from "./support/runtime.ts";

const FILES = {
  "runtime.yaml": `
runtime: { shutdown: { drain: 2s } }
plane: {}
control: { socket: false }
services: { shop: { entrypoint: ./shop.ts } }
`,
  "shop.ts": `
import { saga } from "haraka-runtime";
export default {
  startup() {
    this.runtime.sagas.register(saga("nap").sleep("brief", "20ms").step("end", { execute: () => "ended", pivot: true }));
  },
};`,
};
const DATABASE = "data/haraka.db";

/** Where the drain is not looked at. */
const QUICK = FILES["runtime.yaml"].replace("drain: 2s", "drain: 0s");

/** A runtime that has written a little and ended, with its database closed. */
async function written(): Promise<Runtime> {
  const runtime = await start({ files: { ...FILES, "runtime.yaml": QUICK } }).started();
  const plane = await planeOf(runtime);
  for (let n = 0; n < 50; n++) await plane.ask(`PUT /state/n/k${n}`, { json: { value: "x".repeat(1000) } });
  await runtime.stop();
  return runtime;
}

const bytesOf = ({ folder }: Runtime): string => readFileSync(join(folder, DATABASE)).toString("base64");

test("a second runtime on the database ends with 75, naming who holds it, and changes nothing", async () => {
  await using holder = await start({ files: FILES }).started();
  const before = bytesOf(holder);
  const { code, stderr, stdout } = await haraka({ cwd: holder.folder });
  assert.deepEqual({ code, stdout }, { code: 75, stdout: "" });
  const says = `^haraka: cannot open the database .*haraka\\.db: pid ${holder.pid} on host ${hostname()} holds it since `;
  assert.match(stderr, new RegExp(says));
  assert.equal(bytesOf(holder), before);
  assert.equal((await (await planeOf(holder)).ask("PUT /state/n/k", { json: { value: 1 } })).status, 201);
});

for (const [name, damage, says] of [
  [
    "that is cut off",
    (path: string) => truncateSync(path, statSync(path).size / 2),
    /it is cut off: \d+ of \d+ bytes are there/,
  ],
  ["that is empty", (path: string) => truncateSync(path, 0), /it is empty/],
  [
    "that is corrupt",
    (path: string) => {
      const file = openSync(path, "r+");
      const garbage = Buffer.alloc(statSync(path).size / 2, 0x5a);
      writeSync(file, garbage, 0, garbage.length, 4096);
      closeSync(file);
    },
    /it is corrupt \(/,
  ],
  [
    "of a newer version",
    (path: string) => {
      const database = new DatabaseSync(path);
      database.exec("PRAGMA user_version = 99");
      database.close();
    },
    /its schema has version 99, and this program knows \d+/,
  ],
  [
    "that is none",
    (path: string) => {
      const file = openSync(path, "r+");
      writeSync(file, "not a database at all", 0);
      closeSync(file);
    },
    /it is no SQLite database/,
  ],
] as const) {
  test(`a database ${name} ends the start with 75 and stays as it is`, async () => {
    await using runtime = await written();
    damage(join(runtime.folder, DATABASE));
    const before = bytesOf(runtime);
    const { code, stdout, stderr } = await haraka({ cwd: runtime.folder });
    assert.deepEqual({ code, stdout }, { code: 75, stdout: "" });
    assert.match(stderr, says);
    assert.match(stderr, /haraka\.db: /);
    assert.equal(bytesOf(runtime), before);
  });
}

test("a link to a database that is not there begins no other in its place", async () => {
  await using runtime = await written();
  const path = join(runtime.folder, DATABASE);
  renameSync(path, `${path}.away`);
  symlinkSync(join(runtime.folder, "not-mounted/haraka.db"), path);
  const { code, stderr } = await haraka({ cwd: runtime.folder });
  assert.equal(code, 75);
  assert.match(
    stderr,
    /haraka\.db: it is a link to what is not there; mount or make that, or remove the link/,
  );
  assert.ok(lstatSync(path).isSymbolicLink());
});

test("a database that may not be written ends the start with 75 and who could change that", async () => {
  await using runtime = await written();
  const path = join(runtime.folder, DATABASE);
  chmodSync(path, 0o444);
  chmodSync(runtime.folder, 0o755);
  chmodSync(join(runtime.folder, "data"), 0o777);
  chmodSync(`${path}.lock`, 0o666);
  const before = bytesOf(runtime);
  const prefix = process.geteuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];
  const { code, stderr } = await haraka({ cwd: runtime.folder, prefix });
  assert.equal(code, 75, stderr);
  assert.match(
    stderr,
    /haraka\.db: uid \d+ may not write it: it belongs to uid \d+, mode 0444; chown or chmod it/,
  );
  assert.equal(bytesOf(runtime), before);
});

test("a disk that fills up stops acknowledging, and nothing acknowledged is lost", async () => {
  // Files may not grow beyond 400 blocks: to SQLite that is a disk that is full.
  const prefix = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh"];
  await using full = await start({ files: FILES, prefix }).started();
  const plane = await planeOf(full);
  const acknowledged: string[] = [];
  const write = async (key: string) => {
    const answer = await plane.ask(`PUT /state/n/${key}`, { json: { value: "x".repeat(8_000) } });
    if (answer.status === 201) acknowledged.push(key);
    return answer;
  };
  let answer = await write("k0");
  for (let n = 1; answer.status === 201; n++) answer = await write(`k${n}`);
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "1"]);
  const ready = await full.get("/health/ready");
  const { blockedBy } = (await ready.json()) as { blockedBy: { service: string }[] };
  assert.equal(ready.status, 503);
  assert.ok(
    blockedBy.some(({ service }) => service === "store"),
    JSON.stringify(blockedBy),
  );
  const health = await full.get("/health");
  const { status, components } = (await health.json()) as {
    status: string;
    components: Record<string, { status: string }>;
  };
  assert.deepEqual([health.status, status, components["store"]?.status], [200, "degraded", "unavailable"]);
  for (const part of ["state_surface", "wal", "saga_coordinator"])
    assert.equal(components[part]?.status, "unavailable", part);
  assert.equal((await full.get("/health/live")).status, 200);
  const read = await plane.ask("GET /state/n/k0");
  assert.deepEqual([read.status, read.headers.get("retry-after")], [503, "1"]);
  const { code, stderr } = await full.ended;
  assert.equal(code, 75);
  assert.match(
    stderr,
    /^haraka: stopping: cannot write to the database .*haraka\.db: .*; nothing is acknowledged/,
  );

  await using again = await start({ cwd: full.folder }).started();
  const after = await planeOf(again);
  for (const key of acknowledged) assert.equal((await after.ask(`GET /state/n/${key}`)).status, 200, key);
  const verified = await haraka({ args: ["wal", "verify", "--json"], cwd: again.folder });
  assert.equal(verified.code, 75, "the runtime holds it");
  await again.stop();
  assert.equal((await haraka({ args: ["wal", "verify", "--json"], cwd: again.folder })).code, 0);
});

test("a clock that was set back an hour takes no time back, and what waits for time goes on", async () => {
  await using first = await written();
  const hourMs = 3_600_000;
  const database = new DatabaseSync(join(first.folder, DATABASE));
  // As the last run, by a clock that was an hour ahead, would have left it.
  database.exec(
    `UPDATE tenant SET time_ms = time_ms + ${hourMs}; UPDATE log SET time_ms = time_ms + ${hourMs}`,
  );
  const { last } = database.prepare("SELECT max(time_ms) AS last FROM log").get() as { last: number };
  database.close();
  await using second = await start({ cwd: first.folder }).started();
  const plane = await planeOf(second);
  const { body } = await plane.ask("POST /sessions", { json: { user: "ann", idle: "1m" } });
  assert.ok(Date.parse(body.createdAt) >= last);
  assert.equal((await plane.ask(`GET /sessions/${body.id}`)).status, 200);
  assert.equal((await plane.done("nap", { session: body.id })).state, "completed");
  await second.stop();
  const verified = await haraka({ args: ["wal", "verify", "--json"], cwd: second.folder });
  assert.equal(verified.code, 0, verified.stdout);
});
