import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ABSENT, contentOf, UNSURE } from "../../src/drivers/file-content.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-content-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "a");

test("contentOf goes by what is in a file, not by when it was written", () => {
  writeFileSync(file, "one");
  const first = contentOf(file);
  utimesSync(file, 1, 1);
  assert.equal(contentOf(file), first);
  writeFileSync(file, "two");
  assert.notEqual(contentOf(file), first);
  writeFileSync(file, "one");
  assert.equal(contentOf(file), first);
});

test("contentOf does not read a large file, and sees when it was written", () => {
  writeFileSync(file, new Uint8Array(5 * 1024 * 1024));
  const first = contentOf(file);
  assert.match(first, /^5242880 bytes of /);
  utimesSync(file, 1, 1);
  assert.notEqual(contentOf(file), first);
});

test("contentOf has a word for what is not there, is no file, or may have changed meanwhile", () => {
  assert.equal(contentOf(join(folder, "gone")), ABSENT);
  assert.equal(contentOf(join(file, "below")), ABSENT);
  assert.equal(contentOf(folder), "no file");
  assert.equal(contentOf("/dev/null"), "no file");
  writeFileSync(file, "one");
  const { ctimeMs } = statSync(file);
  assert.equal(contentOf(file, { unsureSinceMs: ctimeMs }), UNSURE);
  assert.notEqual(contentOf(file, { unsureSinceMs: ctimeMs + 1 }), UNSURE);
});
