// The keyboard of `haraka dev`: keys on a real pseudo-terminal, lines on a pipe, and a terminal that is given back.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { binary } from "./support/binary.ts";
import { start } from "./support/runtime.ts";
import { Terminal } from "./support/terminal.ts";

const CONFIG = `
services:
  db: { command: [sh, -c, "echo db up; exec sleep 1000"] }
  api: { command: [sh, -c, "echo api up; exec sleep 1000"], dependencies: [db] }
  web: { command: [sh, -c, "echo web up; exec sleep 1000"] }
`;

const DEV = `'${binary()}' dev`;

describe("dev on a terminal", () => {
  test("r and a name or a number restart a service and what needs it, R all, s says what there is", async () => {
    await using terminal = new Terminal(DEV, CONFIG);
    await terminal.seen(/keys: r restart one, R all, s status, q quit/);
    await terminal.seen(/(db|api|web) up/, 3);
    terminal.type("r");
    await terminal.seen(/restart \(1 db, 2 api, 3 web\): /);
    // A letter too many is taken back.
    terminal.type("dx\x7fb\r");
    await terminal.seen(/asked to restart db, api/);
    await terminal.seen(/(db|api) up/, 4);
    terminal.type("r3\r");
    await terminal.seen(/asked to restart web/);
    await terminal.seen(/web up/, 2);
    terminal.type("R");
    await terminal.seen(/asked to restart db, api, web/);
    await terminal.seen(/(db|api|web) up/, 9);
    terminal.type("s");
    await terminal.seen(/ 3 web ready \d+s, pid \d+, 2 restarts/);
    terminal.type("r\x1b");
    terminal.type("rnobody\r");
    await terminal.seen(/cannot restart 'nobody': no such service/);
    terminal.type("x");
    await terminal.seen(/here: r NAME, R, s or q, and Enter/);
    terminal.type("q");
    assert.equal(await terminal.ended, 0);
  });

  for (const [how, keys, code] of [
    ["q", "q", 0],
    ["Ctrl-C", "\x03", 0],
    ["Ctrl-D", "\x04", 0],
  ] as const) {
    test(`${how} quits, and the terminal is as it was`, async () => {
      await using terminal = new Terminal(`stty -a; ${DEV}; echo "code $?"; stty -a`, CONFIG);
      await terminal.seen(/web up/);
      terminal.type(keys);
      await terminal.seen(new RegExp(`code ${code}\r\n`));
      await terminal.ended;
      const [before, after] = terminal.text.match(/^speed [^]*?echoke[^\r]*/gm) ?? [];
      assert.ok(before !== undefined && before.includes(" icanon"), terminal.text);
      assert.equal(after, before);
    });
  }

  test("in the background it leaves the terminal alone", async () => {
    await using terminal = new Terminal(`set -m; ${DEV} & echo "pid $!"; wait %1`, CONFIG);
    await terminal.seen(/web up/);
    await terminal.seen(/started/);
    assert.doesNotMatch(terminal.text, /keys:/);
    // Nobody else would: what is in the background outlives its terminal.
    process.kill(Number(/pid (\d+)/.exec(terminal.text)?.[1]), "SIGTERM");
    assert.equal(await terminal.ended, 0);
  });

  test("a terminal that goes takes it along", async () => {
    await using terminal = new Terminal(`exec ${DEV}`, CONFIG);
    await terminal.seen(/web up/);
    await terminal.seen(/started/);
    terminal.close();
    assert.equal(await terminal.ended, 0);
  });
});

describe("dev without a terminal", () => {
  test("lines restart, say what there is, and quit", async () => {
    await using runtime = start({
      args: ["dev", "--json"],
      files: { "runtime.yaml": CONFIG },
      stdin: "open",
    });
    await runtime.started();
    runtime.type("r api web");
    await runtime.record("haraka", "asked to restart api, web");
    runtime.type("r 1");
    await runtime.record("haraka", "asked to restart db, api");
    runtime.type("R");
    await runtime.record("haraka", "asked to restart db, api, web");
    runtime.type("s");
    await runtime.record("haraka", /^ 2 api \w+ \d+s/);
    runtime.type("what");
    await runtime.record("haraka", /^keys: .*r NAME/);
    runtime.type("q");
    assert.equal((await runtime.ended).code, 0);
  });

  test("r brings back what has failed, and what was skipped for it", async () => {
    await using runtime = start({
      args: ["dev", "--json"],
      files: {
        "runtime.yaml": `
services:
  db: { command: [sh, -c, 'test -e licence || exit 4; echo up; exec sleep 1000'], readiness: { log: up } }
  api: { command: [sh, -c, "echo api up; exec sleep 1000"], dependencies: [db] }
`,
      },
      stdin: "open",
    });
    await runtime.record("api", /^skipped/);
    runtime.write("licence", "").type("r db");
    await runtime.record("api", "api up");
  });

  test("r tries a module anew whose import failed for a reason outside its files", async () => {
    await using runtime = start({
      args: ["dev", "--json"],
      files: {
        "runtime.yaml": "services: { module: { entrypoint: ./module.ts } }",
        "module.ts": `
import { existsSync } from "node:fs";
import { join } from "node:path";
if (!existsSync(join(import.meta.dirname, "licence"))) throw new Error("no licence");
export default { startup() { this.runtime.log.info("licensed"); } };`,
      },
      stdin: "open",
    });
    await runtime.record("module", /^failed: .*no licence/);
    runtime.write("licence", "").type("r module");
    await runtime.record("module", "licensed");
  });

  test("a service that reads the standard input keeps it to itself", async () => {
    await using runtime = start({
      args: ["dev", "--json"],
      files: { "runtime.yaml": "services: { shell: { command: [cat], stdin: inherit } }" },
      stdin: "open",
    });
    await runtime.record("haraka", "no keys: a service reads the standard input");
    await runtime.started();
    runtime.type("q");
    await runtime.record("shell", "q");
  });
});
