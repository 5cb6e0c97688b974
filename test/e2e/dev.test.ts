// `haraka dev` and all files but code: follows every one that counts, restarts what changes and what needs it, and outlives whatever
// a developer does to it. Files are written as editors write them; what is waited for is what the runtime says.
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changes, DEV, develop, quiet, SPEAKER, word } from "./support/develop.ts";
import { takenPort } from "./support/ports.ts";
import { type RunOptions, start } from "./support/runtime.ts";

describe("dev and other files", () => {
  const watching = (glob: string): NonNullable<RunOptions["files"]> => ({
    "runtime.yaml": `
services:
  reader:
    command: [sh, -c, 'echo "read $(cat in/*.txt | tr "\\n" " ")"; exec sleep 1000']
    watch: ["${glob}"]
`,
    "in/a.txt": "one\n",
  });

  for (const glob of ["in/**/*.txt", "in"]) {
    test(`files of ${glob} restart a process when they change, come and go`, async () => {
      await using runtime = develop(watching(glob));
      await runtime.record("reader", "read one ");
      await runtime.started();
      runtime.write("in/a.txt", "two\n");
      await runtime.record("reader", "read two ");
      runtime.write("in/b.txt", "three\n");
      await runtime.record("reader", "read two three ");
      await runtime.record("haraka", "in/b.txt changed: restarting reader");
      rmSync(join(runtime.folder, "in/a.txt"));
      await runtime.record("reader", "read three ");
      mkdirSync(join(runtime.folder, "in/deep"));
      runtime.write("in/deep/c.txt", "unread\n");
      await runtime.record("haraka", "in/deep/c.txt changed: restarting reader");
      rmSync(join(runtime.folder, "in"), { recursive: true });
      await runtime.record("reader", "read ");
      mkdirSync(join(runtime.folder, "in"));
      runtime.write("in/a.txt", "again\n");
      await runtime.record("reader", "read again ");
    });
  }

  test("a file that is touched, saved unchanged, or not named restarts nothing", async () => {
    await using runtime = develop(watching("in/*.txt"));
    await runtime.record("reader", "read one ");
    utimesSync(join(runtime.folder, "in/a.txt"), new Date(), new Date());
    runtime.write("in/a.txt", "one\n").write("in/a.md", "x").write("runtime.yaml~", "x");
    await quiet(runtime.folder);
    runtime.write("in/b.txt", "two\n");
    await runtime.record("reader", "read one two ");
    assert.deepEqual(changes(runtime), ["in/b.txt changed: restarting reader"]);
  });

  test("a file that is replaced, as editors do, is seen every time", async () => {
    await using runtime = develop(watching("in/*.txt"));
    await runtime.record("reader", "read one ");
    for (const text of ["two", "three"]) {
      runtime.write("in/.a.txt.swp", `${text}\n`);
      renameSync(join(runtime.folder, "in/.a.txt.swp"), join(runtime.folder, "in/a.txt"));
      await runtime.record("reader", `read ${text} `);
    }
  });

  test("what is installed is not watched", async () => {
    await using runtime = develop({
      ...watching("**/*.txt"),
      "node_modules/p/a.txt": "1",
      ".git/a.txt": "1",
    });
    await runtime.record("reader", "read one ");
    runtime.write("node_modules/p/a.txt", "2").write(".git/a.txt", "2").write("in/b.txt", "two\n");
    await runtime.record("reader", "read one two ");
    assert.deepEqual(changes(runtime), ["in/b.txt changed: restarting reader"]);
  });
});

describe("dev and the config", () => {
  const says = (...texts: string[]): string =>
    `services:\n${texts.map((text, index) => `  s${index + 1}: { command: [sh, -c, "echo ${text}; exec sleep 1000"] }\n`).join("")}`;

  test("only what has changed in it restarts, starts or stops", async () => {
    await using runtime = develop({ "runtime.yaml": says("one", "two") });
    await runtime.started();
    runtime.write("runtime.yaml", says("one", "new", "three"));
    await runtime.record("s2", "new");
    await runtime.record("s3", "three");
    await runtime.record("haraka", "runtime.yaml changed: restarting s2; starting s3");
    runtime.write("runtime.yaml", says("one"));
    await runtime.record("haraka", "runtime.yaml changed: stopping s2, s3");
    await runtime.record("s3", "stopped");
    runtime.write("runtime.yaml", `# a remark\n${says("one")}`);
    await runtime.record("haraka", "runtime.yaml changed: nothing to restart");
    assert.deepEqual(runtime.messages("s1", "stdout"), ["one"]);
  });

  test("a manifest that an include comes to match starts its service", async () => {
    await using runtime = develop({
      "runtime.yaml": `include: ["parts/*/service.yaml"]\n${says("one")}`,
      "parts/readme": "",
    });
    await runtime.started();
    mkdirSync(join(runtime.folder, "parts/extra"));
    runtime.write("parts/extra/service.yaml", 'command: [sh, -c, "echo extra; exec sleep 1000"]');
    await runtime.record("extra", "extra");
    await runtime.record("haraka", "parts/extra/service.yaml changed: starting extra");
  });

  test("an error in it changes nothing, and says where it is", async () => {
    await using runtime = develop({ "runtime.yaml": says("one"), "speaker.ts": SPEAKER });
    await runtime.started();
    runtime.write("runtime.yaml", `${says("one")}oops: 1\n`);
    await runtime.record("haraka", /^nothing has changed:\nruntime\.yaml:3:1 oops: unknown key/);
    runtime.write("runtime.yaml", says("two"));
    await runtime.record("s1", "two");
    assert.equal((await runtime.stop()).code, 0);
  });

  test("while it is wrong, other changes are still made", async () => {
    await using runtime = develop({
      "runtime.yaml": "services: { speaker: { entrypoint: ./speaker.ts } }\n",
      "speaker.ts": SPEAKER,
      "words/word.ts": word("one"),
    });
    await runtime.record("speaker", "says one");
    await runtime.started();
    runtime.write("runtime.yaml", "oops: 1\n");
    await runtime.record("haraka", /^nothing has changed:/);
    runtime.write("words/word.ts", word("two"));
    await runtime.record("speaker", "says two");
  });

  test("a command in it that would not start is said, and what runs goes on until it would", async () => {
    const config = (command: string, more = "") =>
      `services: { app: { command: [${command}], cwd: . }, other: { command: [sh, -c, "cat in.txt; exec sleep 1000"], watch: ["in.txt"] }${more} }\n`;
    const say = (text: string) => `sh, -c, "echo ${text}; exec sleep 1000"`;
    await using runtime = develop({ "runtime.yaml": config(say("one")), "in.txt": "one\n" });
    await runtime.record("app", "one");
    await runtime.started();
    runtime.write("runtime.yaml", config("./tool", ", new: { command: [no-such-command] }"));
    await runtime.record("app", /^stays as it is: cannot start: command ".\/tool" not found at/);
    await runtime.record("new", /^failed: command "no-such-command" not found in PATH/);
    runtime.write("in.txt", "two\n");
    await runtime.record("other", "two");
    assert.deepEqual(
      runtime.messages("app").filter((message) => /stopped|stays/.test(String(message))).length,
      1,
      "it is told once",
    );
    writeFileSync(join(runtime.folder, "tool"), "#!/bin/sh\necho tool\nexec sleep 1000\n", { mode: 0o755 });
    runtime.write("in.txt", "three\n");
    await runtime.record("app", "tool");
    assert.equal((await runtime.stop()).code, 0);
  });

  test("what counts from the next start on is said, and keeps nothing else from being done", async () => {
    await using runtime = develop({ "runtime.yaml": says("one") });
    await runtime.started();
    runtime.write("runtime.yaml", `${says("two")}runtime: { name: other }\n`);
    await runtime.record("s1", "two");
    await runtime.record("haraka", "runtime: what has changed there counts from the next start on");
  });

  test("an error in it at the start is said, and the file waited for", async () => {
    await using runtime = develop({ "runtime.yaml": "oops: 1\n" });
    const said = await runtime.said(/trying again when one of these files changes\n/);
    assert.match(said, /^runtime\.yaml:1:1 oops: unknown key/);
    runtime.write("runtime.yaml", "ooops: 1\n");
    await runtime.said(/ooops/);
    runtime.write("runtime.yaml", says("one"));
    await runtime.record("s1", "one");
    assert.equal((await runtime.stop()).code, 0);
  });

  test("a signal ends the wait for a config", async () => {
    await using runtime = develop({ "runtime.yaml": "oops: 1\n" });
    await runtime.said(/trying again/);
    assert.equal((await runtime.signal("SIGINT").ended).code, 130);
  });

  test("a service that is not in it, or no config at all, is 2", async () => {
    await using unknown = develop({ "runtime.yaml": says("one") }, { args: [...DEV, "s2"] });
    assert.equal((await unknown.ended).code, 2);
    assert.match(unknown.stderr, /cannot run 's2': no such service/);
    await using none = develop({});
    assert.equal((await none.ended).code, 2);
  });
});

describe("dev on a laptop", () => {
  test("starts what is named and what it needs, on the next free port of this machine alone", async () => {
    const { port, server } = await takenPort();
    try {
      await using runtime = develop(
        {
          "runtime.yaml": `
http: { host: 0.0.0.0 }
services:
  api: { command: [sleep, "1000"], dependencies: [db] }
  db: { command: [sleep, "1000"] }
  other: { command: [sleep, "1000"] }
`,
        },
        { args: [...DEV, "api"], env: { PORT: String(port) } },
      );
      await runtime.started();
      const said = runtime.messages("haraka").map(String);
      const [, host, taken, asked] =
        /listening on http:\/\/([\d.]+):(\d+) \((\d+) is in use\)/.exec(said.join("\n")) ?? [];
      assert.deepEqual([host, asked], ["127.0.0.1", String(port)]);
      assert.ok(Number(taken) > port);
      assert.deepEqual(runtime.whoBecame("ready").toSorted(), ["api", "db"]);
    } finally {
      server.close();
    }
  });

  test("reads .env of the config's folder and of its own, the process's variables first, and follows them", async () => {
    await using runtime = develop(
      {
        "config/runtime.yaml": `
runtime: { name: "\${NAME}" }
services:
  shell: { command: [sh, -c, "echo shell $A $B $C; exec sleep 1000"] }
  module: { entrypoint: ./module.ts }
`,
        "config/module.ts": `export default { startup() { const { A, B, C } = process.env; this.runtime.log.info(["module", A, B, C].join(" ")); } };`,
        "config/.env": "NAME=shop\nA=config\nB=config\n",
        ".env": "B=here\nC=here\n",
      },
      { env: { C: "process" } },
    );
    await runtime.record("shell", "shell config here process");
    await runtime.record("module", "module config here process");
    await runtime.record("shop", "started");
    runtime.write(".env", "B=there\nC=there\n");
    await runtime.record("shell", "shell config there process");
    await runtime.record("module", "module config there process");
    await runtime.record("shop", ".env changed: restarting shell, module");
  });

  test("is pretty without a terminal, and does not drain", async () => {
    await using runtime = start({
      args: ["dev"],
      files: {
        "runtime.yaml": `
runtime: { log: { format: json, level: debug }, shutdown: { drain: 2s } }
services: { db: { command: [sh, -c, "echo up; exec sleep 1000"] } }
`,
      },
    });
    await runtime.url();
    while (!runtime.lines.includes("db     | up")) await new Promise((turn) => setImmediate(turn));
    const { stdout } = await runtime.stop();
    assert.match(stdout, /haraka \| debug: stage drain took \d{1,3}ms/);
  });

  test("a service that fails for good is said, stays failed with what needs it, and comes back with a change", async () => {
    await using runtime = develop({
      "runtime.yaml": `
services:
  db: { command: [sh, -c, 'code=$(cat code.txt); [ "$code" = 0 ] || exit $code; echo up; exec sleep 1000'], watch: ["code.txt"], readiness: { log: up } }
  api: { command: [sh, -c, "echo api; exec sleep 1000"], dependencies: [db] }
`,
      "code.txt": "3",
    });
    const { level } = await runtime.record(
      "db",
      "failed: ended with 3; it is tried again with the next change, or with: r db",
    );
    assert.equal(level, "error");
    await runtime.record("api", /^skipped: /);
    runtime.write("code.txt", "0");
    await runtime.record("api", "api");
    await runtime.record("haraka", "code.txt changed: restarting db; then api, which needs it");
    assert.equal((await runtime.stop()).code, 0);
  });

  test("what has failed is tried again with every change, what somebody has not asked for is left alone", async () => {
    await using runtime = develop({
      "runtime.yaml": `
services:
  bad: { command: [sh, -c, 'test -e door || exit 3; echo in; exec sleep 1000'] }
  other: { command: [sh, -c, "cat in.txt; exec sleep 1000"], watch: ["in.txt"] }
`,
      "in.txt": "one\n",
    });
    await runtime.record("bad", /^failed: ended with 3/);
    await runtime.record("other", "one");
    runtime.write("door", "").write("in.txt", "two\n");
    await runtime.record("haraka", "in.txt changed: restarting other; trying bad again");
    await runtime.record("bad", "in");
    runtime.write("in.txt", "three\n");
    await runtime.record("haraka", "in.txt changed: restarting other");
  });

  test("a crash of a critical service, its end with 0 and an error that nobody catches do not end it", async () => {
    await using runtime = develop(
      {
        "runtime.yaml": `
services:
  crash: { command: [sh, -c, "read -r line < gate; exit 7"] }
  done: { command: ["true"] }
  module: { entrypoint: ./module.ts }
`,
        "module.ts": `export default { startup() { setTimeout(() => { throw new Error("out of the blue"); }); } };`,
      },
      { stdin: "open" },
    );
    await runtime.record("haraka", "nobody caught: out of the blue");
    await runtime.record(
      "done",
      "stopped: ended by itself; it is tried again with the next change, or with: r done",
    );
    runtime.type("q");
    assert.equal((await runtime.ended).code, 0);
  });

  test("what hangs while starting is replaced when it changes", async () => {
    await using runtime = develop({
      "runtime.yaml": `
services:
  db: { command: [sh, -c, "cat in.txt; exec sleep 1000"], watch: ["in.txt"], readiness: { log: good }, priority: 1 }
  api: { command: [sh, -c, "echo api; exec sleep 1000"], dependencies: [db] }
`,
      "in.txt": "bad\n",
    });
    await runtime.record("db", "bad");
    runtime.write("in.txt", "good\n");
    await runtime.record("api", "api");
    await runtime.record("haraka", "started");
  });

  test("stays when all tasks are done", async () => {
    await using runtime = develop({
      "runtime.yaml": `services: { once: { kind: task, command: [sh, -c, "cat in.txt"], watch: ["in.txt"] } }`,
      "in.txt": "one\n",
    });
    await runtime.record("once", "completed");
    runtime.write("in.txt", "two\n");
    await runtime.record("once", "two");
    assert.equal((await runtime.stop()).code, 0);
  });
});
