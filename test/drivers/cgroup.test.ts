// Limits of a container, read from trees of files as the kernel shows them: version 1, version 2, both, nested, in a namespace of
// their own and not; and from this machine's own.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { openCgroup } from "../../src/drivers/cgroup.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));

const MIB = 1024 * 1024;
const NO_LIMIT_V1 = "9223372036854771712";
const V2 = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate";

/** A root with these files in it. The content of a file ends with a newline, as the kernel's do. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(folder, "root-"));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${content}\n`);
  }
  return root;
}

const limitsOf = (files: Record<string, string>) => openCgroup({ root: tree(files) })();

/** Version 2: our group's path as it is seen, and files by their path under the mount point. */
const v2 = (path: string, files: Record<string, string>, mount = V2): Record<string, string> => ({
  "proc/self/cgroup": `0::${path}`,
  "proc/self/mountinfo": `22 1 8:1 / / rw - ext4 /dev/sda rw\n${mount}`,
  ...Object.fromEntries(Object.entries(files).map(([file, text]) => [`sys/fs/cgroup/${file}`, text])),
});

test("version 2 in its own namespace: memory, use without idle cache, a fraction of processors", () => {
  const limits = limitsOf(
    v2("/", {
      "memory.max": String(512 * MIB),
      "memory.current": String(300 * MIB),
      "memory.stat": `anon 1\ninactive_anon 5\ninactive_file ${100 * MIB}\nactive_file 7`,
      "cpu.max": "150000 100000",
    }),
  );
  assert.deepEqual(limits, { memoryBytes: 512 * MIB, memoryUsedBytes: 200 * MIB, cpus: 1.5 });
});

test("max means no limit; the use is told all the same", () => {
  const limits = limitsOf(
    v2("/", { "memory.max": "max", "memory.current": "4096", "cpu.max": "max 100000" }),
  );
  assert.deepEqual(limits, { memoryUsedBytes: 4096 });
});

test("nested groups: the smallest limit on the way to the top holds, with the use of the group that has it", () => {
  const limits = limitsOf(
    v2("/pod/app/worker", {
      "pod/memory.max": String(256 * MIB),
      "pod/memory.current": String(200 * MIB),
      "pod/cpu.max": "200000 100000",
      "pod/app/memory.max": "max",
      "pod/app/memory.current": String(150 * MIB),
      "pod/app/cpu.max": "50000 100000",
      "pod/app/worker/memory.max": String(512 * MIB),
      "pod/app/worker/memory.current": String(100 * MIB),
      "pod/app/worker/cpu.max": "max 100000",
      // A neighbour's, which is nothing to us.
      "pod/other/memory.max": "4096",
    }),
  );
  assert.deepEqual(limits, { memoryBytes: 256 * MIB, memoryUsedBytes: 200 * MIB, cpus: 0.5 });
});

test("of equal limits the outermost holds: its use is the larger", () => {
  const files = { "pod/memory.max": "8192", "pod/memory.current": "8000" };
  const limits = limitsOf(
    v2("/pod/app", { ...files, "pod/app/memory.max": "8192", "pod/app/memory.current": "100" }),
  );
  assert.deepEqual(limits, { memoryBytes: 8192, memoryUsedBytes: 8000 });
});

test("without a namespace, the container's group stands at the mount point", () => {
  const mount = V2.replace(" / /sys", " /docker/c0ffee /sys");
  const files = { "memory.max": "8192", "inner/memory.max": "4096" };
  assert.equal(limitsOf(v2("/docker/c0ffee", files, mount)).memoryBytes, 8192);
  assert.equal(limitsOf(v2("/docker/c0ffee/inner", files, mount)).memoryBytes, 4096);
  // Another group whose name merely begins the same.
  assert.equal(limitsOf(v2("/docker/c0ffee2/inner", files, mount)).memoryBytes, 8192);
});

test("a path that the mount does not show, or that leads out of it, falls back to what is there", () => {
  assert.equal(limitsOf(v2("/docker/c0ffee", { "memory.max": "8192" })).memoryBytes, 8192);
  const out = v2("/../other", { "memory.max": "8192" });
  assert.equal(limitsOf({ ...out, "sys/fs/other/memory.max": "1" }).memoryBytes, 8192);
});

test("a mount point with a space is found", () => {
  const mount = V2.replace("/sys/fs/cgroup", String.raw`/sys/c\040group`);
  assert.deepEqual(limitsOf({ ...v2("/", {}, mount), "sys/c group/cpu.max": "100000 100000" }), { cpus: 1 });
});

/** Version 1 as Docker mounts it, the hierarchy of systemd and an empty version 2 beside it. */
const v1 = (path: string, files: Record<string, string>, root = "/"): Record<string, string> => ({
  "proc/self/cgroup": [`9:name=systemd:${path}`, `4:memory:${path}`, `1:cpu,cpuacct:${path}`, "0::/"].join(
    "\n",
  ),
  "proc/self/mountinfo": [
    `31 23 0:27 ${root} /sys/fs/cgroup/systemd rw - cgroup systemd rw,name=systemd`,
    `32 23 0:28 ${root} /sys/fs/cgroup/memory rw shared:9 master:3 - cgroup cgroup rw,memory`,
    `33 23 0:29 ${root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct`,
    "34 23 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
  ].join("\n"),
  "sys/fs/cgroup/unified/memory.max": "1",
  ...Object.fromEntries(Object.entries(files).map(([file, text]) => [`sys/fs/cgroup/${file}`, text])),
});

test("version 1, with an empty version 2 beside it", () => {
  const limits = limitsOf(
    v1(
      "/docker/c0ffee",
      {
        "memory/memory.limit_in_bytes": String(64 * MIB),
        "memory/memory.usage_in_bytes": String(60 * MIB),
        "memory/memory.stat": `inactive_file 1\ntotal_inactive_file ${50 * MIB}`,
        "cpu,cpuacct/cpu.cfs_quota_us": "25000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
      },
      "/docker/c0ffee",
    ),
  );
  assert.deepEqual(limits, { memoryBytes: 64 * MIB, memoryUsedBytes: 10 * MIB, cpus: 0.25 });
});

test("version 1 says no limit with a number near 2^63 and with -1", () => {
  const limits = limitsOf(
    v1("/", {
      "memory/memory.limit_in_bytes": NO_LIMIT_V1,
      "cpu,cpuacct/cpu.cfs_quota_us": "-1",
      "cpu,cpuacct/cpu.cfs_period_us": "100000",
    }),
  );
  assert.deepEqual(limits, {});
});

test("version 1 nested: an outer limit holds where the inner group has none", () => {
  const limits = limitsOf(
    v1("/pod/app", {
      "memory/pod/memory.limit_in_bytes": "8192",
      "memory/pod/memory.usage_in_bytes": "8000",
      "memory/pod/app/memory.limit_in_bytes": NO_LIMIT_V1,
      "memory/pod/app/memory.usage_in_bytes": "4000",
    }),
  );
  assert.deepEqual(limits, { memoryBytes: 8192, memoryUsedBytes: 8000 });
});

test("missing and unreadable files are no limit", () => {
  assert.deepEqual(limitsOf({}), {});
  assert.deepEqual(limitsOf({ "proc/self/cgroup": "0::/" }), {});
  assert.deepEqual(limitsOf(v2("/", {})), {});
  assert.deepEqual(limitsOf(v2("/", { "memory.max": "", "cpu.max": "nonsense", "memory.current": "?" })), {});
});

test("a limit that is changed is seen at the next question", () => {
  const root = tree(v2("/", { "memory.max": "8192", "cpu.max": "max 100000" }));
  const read = openCgroup({ root });
  assert.deepEqual(read(), { memoryBytes: 8192 });
  writeFileSync(join(root, "sys/fs/cgroup/memory.max"), "4096\n");
  writeFileSync(join(root, "sys/fs/cgroup/cpu.max"), "10000 100000\n");
  assert.deepEqual(read(), { memoryBytes: 4096, cpus: 0.1 });
});

test("this machine's own can be read", () => {
  const { memoryBytes, memoryUsedBytes, cpus } = openCgroup()();
  for (const value of [memoryBytes, memoryUsedBytes, cpus]) assert.ok(value === undefined || value > 0);
});
