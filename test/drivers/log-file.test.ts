// A log file on a real file system: turned over, moved away, emptied, half written, not to be written. A full disk is in e2e/log-file.test.ts, which can make one.
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type LogFileOptions, openLogFile } from "../../src/drivers/log-file.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));

let count = 0;

function open(options: Partial<LogFileOptions> = {}) {
  const path = options.path ?? join(folder, `case-${(count += 1)}`, "log");
  const said: string[] = [];
  const file = openLogFile({
    path,
    maxBytes: 100,
    keep: 2,
    onTrouble: (message) => said.push(message),
    onRecovered: (lines) => said.push(`recovered, ${lines} missing`),
    ...options,
  });
  return { path, said, write: (text: string) => file.write(Buffer.from(text)) };
}

const read = (path: string): string => readFileSync(path, "utf8");

/** Writes a line at a time until `is`: what the file looks at, it looks at once a second. */
async function writeUntil(write: (text: string) => Promise<void>, is: () => boolean): Promise<void> {
  while (!is()) {
    await write("again\n");
    await new Promise((next) => setTimeout(next, 20));
  }
}

test("folders are made, lines are added to what is there, and others may not read it", async () => {
  const { path, write } = open();
  await write("one\n");
  await write("two\n");
  const again = open({ path });
  await again.write("three\n");
  assert.equal(read(path), "one\ntwo\nthree\n");
  assert.equal(statSync(path).mode & 0o007, 0);
});

test("it is turned over between lines before it grows too large, and the oldest goes", async () => {
  const { path, write } = open();
  const lines = Array.from({ length: 40 }, (_, index) => `line ${String(index).padStart(4, "0")}\n`);
  await write(lines.slice(0, 25).join(""));
  for (const line of lines.slice(25)) await write(line);
  assert.deepEqual(readdirSync(join(path, "..")).toSorted(), ["log", "log.1", "log.2"]);
  const kept = [`${path}.2`, `${path}.1`, path].map(read);
  assert.deepEqual(kept.join(""), lines.slice(-kept.join("").length / 10).join(""));
  assert.deepEqual(
    kept.map((text) => text.length),
    [100, 100, 100],
  );
});

test("a line longer than the file may be has a file to itself", async () => {
  const { path, write } = open();
  await write(`a\n${"x".repeat(300)}\nb\n`);
  assert.deepEqual([`${path}.2`, `${path}.1`, path].map(read), ["a\n", `${"x".repeat(300)}\n`, "b\n"]);
});

test("keep: 0 leaves no old ones", async () => {
  const { path, write } = open({ keep: 0 });
  for (let index = 0; index < 30; index++) await write("line 4567\n");
  assert.deepEqual(readdirSync(join(path, "..")), ["log"]);
  assert.equal(read(path).length, 100);
});

test("a crash between two renames costs nothing at the next turn", async () => {
  const { path, write } = open();
  writeFileSync(`${path}.2`, "older\n");
  await write(`${"x".repeat(90)}\n`);
  await write(`${"y".repeat(90)}\n`);
  assert.deepEqual(
    [`${path}.2`, `${path}.1`, path].map((each) => read(each)[0]),
    ["o", "x", "y"],
  );
});

test("half a line that a killed process left behind is ended first", async () => {
  const { path } = open();
  appendFileSync(path, '{"half":');
  const { write } = open({ path });
  await write("whole\n");
  assert.equal(read(path), '{"half":\nwhole\n');
});

test("moved away, removed with its folder or emptied, it goes on in its place", async () => {
  const { path, write, said } = open({ maxBytes: 100_000 });
  await write("one\n");
  renameSync(path, `${path}.moved`);
  await writeUntil(write, () => existsSync(path));
  rmSync(join(path, ".."), { recursive: true });
  await writeUntil(write, () => existsSync(path));
  truncateSync(path);
  await write("last\n");
  assert.equal(read(path), "last\n");
  assert.deepEqual(said, []);
});

test("a file emptied from outside is not turned over for the size it had", async () => {
  const { path, write } = open({ maxBytes: 1000 });
  await write(`${"x".repeat(900)}\n`);
  truncateSync(path);
  await write(`${"y".repeat(900)}\n`);
  assert.equal(statSync(path).size, 901);
  assert.ok(!existsSync(`${path}.1`));
});

test("what is no file, and a path through a file, are refused with the reason", () => {
  const path = join(folder, "taken");
  writeFileSync(path, "");
  assert.throws(
    () => open({ path: join(path, "log") }),
    /^Error: a part of its path is a file, not a folder$/,
  );
  assert.throws(() => open({ path: folder }), /^Error: it exists and is not a file; name another$/);
  assert.throws(() => open({ path: "/dev/null" }), /is not a file/);
});

test(
  "a file that may not be written is refused with who may not, whose it is, and what to do",
  { skip: process.getuid?.() !== 0 && "needs root" },
  () => {
    const closed = mkdtempSync("/tmp/haraka-closed-");
    chmodSync(closed, 0o755);
    const path = join(closed, "log");
    process.seteuid?.(12345);
    try {
      assert.throws(
        () => open({ path }),
        new RegExp(
          `^Error: uid 12345 may not write in ${closed}: it belongs to uid 0, mode 0755; chown or chmod it, or name another with runtime.log.file$`,
        ),
      );
    } finally {
      process.seteuid?.(0);
      rmSync(closed, { recursive: true });
    }
  },
);

test(
  "whose the file is, or the folder that lets nothing be renamed, is said",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    const place = mkdtempSync("/tmp/haraka-closed-");
    chmodSync(place, 0o755);
    const path = join(place, "log");
    writeFileSync(path, "");
    try {
      process.seteuid?.(12345);
      assert.throws(
        () => open({ path }),
        new RegExp(
          `^Error: uid 12345 may not write ${path}: it belongs to uid 0, mode 0644; chown or chmod it, or`,
        ),
      );
      process.seteuid?.(0);
      chownSync(path, 12345, 12345);
      process.seteuid?.(12345);
      const { write, said } = open({ path });
      for (let index = 0; index < 30; index++) await write("line 4567\n");
      assert.match(
        String(said),
        new RegExp(
          `^cannot turn over the log file ${path}: uid 12345 may not write in ${place}: it belongs to uid 0, mode 0755; .*; it grows until that works$`,
        ),
      );
    } finally {
      process.seteuid?.(0);
      rmSync(place, { recursive: true });
    }
  },
);

test("a folder that lets nothing be renamed makes the file grow, said once, until it can be turned over", async () => {
  const { path, write, said } = open();
  // A folder in the way of a rename stands for all that can be.
  mkdirSync(`${path}.1/x`, { recursive: true });
  mkdirSync(`${path}.2/x`, { recursive: true });
  for (let index = 0; index < 30; index++) await write("line 4567\n");
  assert.equal(read(path).length, 300);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /^cannot turn over the log file .*; it grows until that works$/);
  rmSync(`${path}.1`, { recursive: true });
  rmSync(`${path}.2`, { recursive: true });
  await writeUntil(write, () => existsSync(`${path}.1`));
  assert.equal(said.length, 1);
});
