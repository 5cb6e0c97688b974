// Names to ids, from files made for the test.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lookUpIds } from "../../../src/drivers/process/users.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));
const files = { passwdFile: join(folder, "passwd"), groupFile: join(folder, "group") };
writeFileSync(files.passwdFile, "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/var/www:/bin/false\n");
writeFileSync(files.groupFile, "root:x:0:\nadm:x:4:www\n");
const none = { passwdFile: join(folder, "none"), groupFile: join(folder, "none") };

test("lookUpIds of a name gives its ids, a group named with it wins", () => {
  assert.deepEqual(lookUpIds({ user: "www" }, files), { uid: 33, gid: 34 });
  assert.deepEqual(lookUpIds({ user: "www", group: "adm" }, files), { uid: 33, gid: 4 });
  assert.deepEqual(lookUpIds({ group: "adm" }, files), { gid: 4 });
  assert.deepEqual(lookUpIds({}, files), {});
});

test("lookUpIds of a number needs no file", () => {
  assert.deepEqual(lookUpIds({ user: "12345" }, none), { uid: 12345, gid: 12345 });
  assert.deepEqual(lookUpIds({ user: "33" }, files), { uid: 33, gid: 34 });
  assert.deepEqual(lookUpIds({ user: "7", group: "8" }, none), { uid: 7, gid: 8 });
});

test("lookUpIds of an unknown name says where it looked", () => {
  const unknownUser = { message: `unknown user "bob": not in ${files.passwdFile}; use a number` };
  assert.throws(() => lookUpIds({ user: "bob" }, files), unknownUser);
  const unknownGroup = { message: `unknown group "bobs": not in ${files.groupFile}; use a number` };
  assert.throws(() => lookUpIds({ user: "www", group: "bobs" }, files), unknownGroup);
  assert.throws(
    () => lookUpIds({ user: "bob" }, none),
    /^Error: unknown user "bob": ENOENT.*; use a number$/,
  );
});
