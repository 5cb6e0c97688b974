// A log file beside the output, through the binary: what it has in it, where it may not be, and a disk that is full for a while.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { haraka, start } from "./support/runtime.ts";

test("the file has as JSON what is pretty on the output, records and lines", async () => {
  const config = `
runtime: { log: { format: pretty, file: logs/all.log } }
http: false
services: { app: { kind: task, command: [printf, '%s\\n', '{"a":1}', plain] } }
`;
  await using runtime = start({ files: { "runtime.yaml": config }, env: { HARAKA_DATA: "state" } });
  const { code, stdout } = await runtime.ended;
  assert.equal(code, 0);
  assert.match(stdout, /^app +\| plain$/m);
  const lines = readFileSync(join(runtime.folder, "state/logs/all.log"), "utf8").trimEnd().split("\n");
  const records = lines.map(
    (line) => JSON.parse(line) as { service: string; stream: string; message: unknown },
  );
  assert.deepEqual(
    records.filter(({ service }) => service === "app").map(({ stream, message }) => [stream, message]),
    [
      ["stdout", { a: 1 }],
      ["stdout", "plain"],
      ["runtime", "completed"],
    ],
  );
  assert.equal(lines.length, stdout.trimEnd().split("\n").length);
});

test("a file that cannot be opened ends the start with 1 and says why, before anything runs", async () => {
  const config = "runtime: { log: { file: taken/log } }\nservices: { app: { command: [touch, ran] } }";
  const { code, stdout, stderr } = await haraka({
    files: { "runtime.yaml": config, "state/taken": "" },
    env: { HARAKA_DATA: "state" },
  });
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(
    stderr,
    /^haraka: cannot open the log file \/.*\/state\/taken\/log: a part of its path is a file, not a folder\n$/,
  );
});

test(
  "a folder that may not be written is said with who may not, whose it is, and what to do",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    const config = "runtime: { log: { file: logs/all.log } }\nservices: { app: { command: [touch, ran] } }";
    const folder = await mkdtemp("/tmp/haraka-closed-");
    try {
      await chmod(folder, 0o755);
      await writeFile(join(folder, "runtime.yaml"), config);
      const { code, stdout, stderr } = await haraka({
        cwd: folder,
        prefix: ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"],
        env: { HARAKA_DATA: folder },
      });
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.equal(
        stderr,
        `haraka: cannot open the log file ${folder}/logs/all.log: uid 12345 may not write in ${folder}: it belongs to uid 0, mode 0755; chown or chmod it, or name another with runtime.log.file\n`,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test(
  "a full disk is said once, the runtime goes on, and the file when there is room again",
  { skip: process.getuid?.() !== 0 && "needs root to mount a small file system" },
  async () => {
    // The filler leaves no room, and gives it back on SIGHUP.
    const filler = `trap 'rm disk/filler' HUP; cat /dev/zero > disk/filler 2>/dev/null; echo full; while :; do sleep 0.01; done`;
    const writer = `while :; do echo "a line of some length, so that the page of the file is soon full"; sleep 0.005; done`;
    const config = {
      runtime: { log: { file: { path: "disk/log" } } },
      http: { host: "127.0.0.1" },
      services: {
        // First, so that the file has a part of a page when there is no room for another.
        writer: { command: ["sh", "-c", writer], readiness: { log: "a line" } },
        filler: { command: ["sh", "-c", filler], readiness: { log: "full" }, dependencies: ["writer"] },
      },
    };
    await using runtime = start({
      prefix: ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=256k disk disk && exec "$@"', "sh"],
      files: { "runtime.yaml": JSON.stringify(config), "disk/nothing": "" },
      env: { HARAKA_DATA: "." },
    });
    const failed = /^cannot write the log file .*\/disk\/log: no space left on the disk; going on without it/;
    await runtime.record("haraka", failed);
    const { pid = 0 } = await runtime.record("filler", "ready");
    // It stays full for longer than it takes to try again.
    const seen = runtime.messages("writer", "stdout").length;
    await runtime.until("/health/ready", 200);
    while (runtime.messages("writer", "stdout").length < seen + 300)
      await new Promise((next) => setTimeout(next, 20));
    process.kill(pid, "SIGHUP");
    const { message } = await runtime.record(
      "haraka",
      /^the log file .* is written again; \d+ lines are missing$/,
    );
    assert.ok(Number(/(\d+) lines/.exec(String(message))?.[1]) > 0);
    // Seen from outside of its mounts. A line that did not fit is not there by half.
    const disk = `/proc/${pid}/root${runtime.folder}/disk`;
    const linesOnDisk = () => readFileSync(join(disk, "log"), "utf8").split("\n").slice(0, -1);
    while (linesOnDisk().length < 50) await new Promise((next) => setTimeout(next, 20));
    for (const line of linesOnDisk()) JSON.parse(line);
    assert.equal((await runtime.stop()).code, 0);
    assert.equal(runtime.messages("haraka").filter((text) => failed.test(String(text))).length, 1);
  },
);
