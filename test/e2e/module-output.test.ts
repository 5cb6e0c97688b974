// What modules say on the console and on the streams of the process they live in: records of the service that said it, wherever in
// its code that was; and in a program of one's own the console is left alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { haraka, type LogRecord, type Runtime, start } from "./support/runtime.ts";

const main = join(root, "src/main.ts");
const programs: Record<string, readonly string[] | undefined> = {
  "the binary": undefined,
  deno: [...JAVASCRIPT_RUNTIMES.deno, main],
  node: [...JAVASCRIPT_RUNTIMES.node, main],
};

const PIECE_BYTES = 64 * 1024;

/** Says everything in every way. */
const TALKER = `
import { stdout } from "node:process";
const { log } = console;
console.log("imported");
export default class {
  constructor() { console.log("constructed"); }
  startup() {
    console.log("one", 2, true);
    console.info("%s has %d%%", "it", 5, { deep: [1] });
    console.debug("details");
    console.warn("careful");
    console.error("broken");
    console.log({ n: 1n, at: new Error("boom"), list: [{ a: 1 }], gone: undefined, set: new Set([1]) });
    console.log('{"line":1}');
    console.log([1, "two"]);
    const round = { name: "round" };
    round.self = round;
    console.log(round);
    console.log();
    console.log("first\\nsecond");
    console.log("x".repeat(${PIECE_BYTES} + 1));
    console.log("nul \\0 half \\ud800");
    console.group("group");
    console.log("inner");
    console.warn({ a: -0 }, -0);
    console.groupEnd();
    console.log("outer");
    console.count();
    console.assert(1 > 2, "%s is not so", "this");
    console.trace("here %d", 1);
    log("taken before");
    stdout.write("by ");
    process.stdout.write(Buffer.from("pieces"));
    process.stderr.write("to stderr\\n");
    process.stdout.write(" and\\nthe ", "utf8", () => console.log("rest"));
  }
  shutdown() { process.stdout.write("no newline"); }
}`;

const said = (runtime: Runtime, service: string) =>
  runtime.records.filter((each) => each.service === service && each.stream !== "runtime");

for (const [name, program] of Object.entries(programs)) {
  const onThis = program ? { program } : {};

  describe(`modules under ${name}`, () => {
    test(
      "all that is said is a record, at its level, and nothing else is on the output",
      { timeout: 60_000 },
      async () => {
        const files = {
          "runtime.yaml": "http: false\nservices: { talker: { entrypoint: ./talker.ts } }",
          "talker.ts": TALKER,
        };
        await using runtime = start({ ...onThis, files });
        await runtime.started();
        await runtime.record("talker", "the rest");
        const { code, stdout, stderr } = await runtime.stop();
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        for (const line of stdout.trimEnd().split("\n")) JSON.parse(line);
        const records = said(runtime, "talker") as (LogRecord & { part?: number })[];
        const byStream = (stream: string) => records.filter((each) => each.stream === stream);
        const errors = byStream("stderr").map(({ level, message }) => `${level} ${String(message)}`);
        const [object] = byStream("stdout").filter(({ message }) => typeof message === "object");
        const { at, ...rest } = (object?.message ?? {}) as { at?: string };
        assert.match(at ?? "", /^Error: boom\n +at .*talker\.ts/);
        assert.deepEqual(rest, { n: "1", list: [{ a: 1 }], set: [1] });
        const trace = errors.findIndex((each) => each === "info Trace: here 1");
        assert.match(errors[trace + 1] ?? "", /^info +at /);
        assert.deepEqual(
          errors.filter((each) => !/ {4}at /.test(each)),
          [
            "warn careful",
            "error broken",
            "warn   { a: -0 } -0",
            "warn Assertion failed: this is not so",
            "info Trace: here 1",
            "info to stderr",
          ],
        );
        const out = byStream("stdout").filter(({ message }) => message !== object?.message);
        const at1 = out.findIndex(({ message }) => String(message).startsWith("<ref"));
        assert.ok(at1 > 0, "what holds itself is formatted");
        assert.deepEqual(
          out.slice(0, at1).map(({ level, message }) => [level, message]),
          [
            ["info", "imported"],
            ["info", "constructed"],
            ["info", "one 2 true"],
            ["info", "it has 5% { deep: [ 1 ] }"],
            ["debug", "details"],
            ["info", { line: 1 }],
            ["info", "[ 1, 'two' ]"],
          ],
        );
        const after = out.slice(out.findIndex(({ message }) => message === ""));
        assert.deepEqual(
          after.map(({ message, part }) => (part === undefined ? message : [String(message).length, part])),
          [
            "",
            "first",
            "second",
            [PIECE_BYTES, 1],
            [1, 2],
            "nul \0 half \ufffd",
            "group",
            "  inner",
            "outer",
            "default: 1",
            "taken before",
            "by pieces and",
            "the rest",
            "no newline",
          ],
        );
      },
    );

    test("the streams have no end, whoever ends or destroys them", { timeout: 60_000 }, async () => {
      const files = {
        "runtime.yaml": "http: false\nservices: { talker: { entrypoint: ./talker.ts } }",
        "talker.ts": `
          import { Readable } from "node:stream";
          import { pipeline } from "node:stream/promises";
          export default {
            async startup() {
              const { stdout } = process;
              stdout.end("last words\\n");
              stdout.destroy();
              stdout.write("after it\\n");
              await pipeline(Readable.from(["pi", "ped\\n"]), stdout);
              await new Promise((done) => stdout.end(done));
              await new Promise((done) => stdout.end("again\\n", "utf8", done));
              for (const wrong of [null, 5, {}])
                try {
                  stdout.write(wrong);
                } catch (error) {
                  console.log(error instanceof TypeError);
                }
              console.clear();
            },
          };`,
      };
      await using runtime = start({ ...onThis, files });
      await runtime.record("talker", "ready");
      const { code, stdout, stderr } = await runtime.stop();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      for (const line of stdout.trimEnd().split("\n")) JSON.parse(line);
      const words = ["last words", "after it", "piped", "again", "true", "true", "true"];
      assert.deepEqual(runtime.messages("talker", "stdout"), words);
    });

    test("what is said right before process.exit is not lost", { timeout: 60_000 }, async () => {
      const files = {
        "runtime.yaml":
          "runtime: { log: { file: all.log } }\nhttp: false\nservices: { talker: { entrypoint: ./talker.ts } }",
        "talker.ts": `export default {
          startup() {
            console.error("cannot go on");
            process.stdout.write("no newline");
            process.exit(3);
          },
        };`,
      };
      await using runtime = start({ ...onThis, files });
      const { code, stderr } = await runtime.ended;
      assert.equal(code, 3);
      assert.match(stderr, /^haraka: the process ended with 3 before anything was stopped in order/);
      const file = readFileSync(join(runtime.folder, "data/all.log"), "utf8");
      assert.deepEqual(file.trimEnd().split("\n"), runtime.lines);
      assert.deepEqual(
        said(runtime, "talker").map(({ level, message }) => [level, message]),
        [
          ["error", "cannot go on"],
          ["info", "no newline"],
        ],
      );
    });

    test("it is the service's wherever its code runs", { timeout: 60_000 }, async () => {
      const service = (which: string): string => `
        import { saga, upgradeWebSocket } from "haraka-runtime";
        const say = (what) => console.log("${which} " + what);
        export default class {
          startup(signal) {
            signal.addEventListener("abort", () => say("told to stop"));
            setTimeout(() => Promise.resolve().then(() => say("timer")), 1);
            const { runtime } = this;
            runtime.addBackgroundTask(async () => { await 0; say("background"); });
            runtime.intents.register("${which}.note", {}, () => say("handler"));
            runtime.sagas.register(
              saga("${which}.order")
                .step("pay", { execute: () => say("execute"), compensate: () => say("compensate") })
                .step("ship", { execute() { say("fail"); throw new Error("no"); } }),
            );
          }
          health() {
            if (!this.asked) say("health");
            this.asked = true;
          }
          routes(app) {
            say("routes");
            app.get("/${which}", async (c) => {
              say("route");
              await 0;
              const { sessions, intents } = this.runtime;
              const session = await sessions.create({ user: "me" });
              for (const type of ["note", "order"])
                await intents.submit({ type: "${which}." + type, session: session.id, payload: {} });
              return c.text("done");
            });
            app.get("/${which}/live", upgradeWebSocket(() => ({
              onOpen: () => say("open"),
              onMessage: (_event, socket) => { say("message"); socket.close(); },
              onClose: () => say("close"),
            })));
          }
          async shutdown() { await 0; say("shutdown"); }
        }`;
      const files = {
        "runtime.yaml": `
http: { host: 127.0.0.1, port: "\${PORT}" }
plane: {}
store: { driver: memory }
services: { left: { entrypoint: ./left.ts }, right: { entrypoint: ./right.ts } }`,
        "left.ts": service("left"),
        "right.ts": service("right"),
      };
      await using runtime = start({ ...onThis, files });
      await runtime.started();
      for (const which of ["left", "right"]) {
        assert.equal(await (await runtime.get(`/${which}`)).text(), "done");
        const socket = new WebSocket(`${(await runtime.url()).replace("http", "ws")}/${which}/live`);
        socket.addEventListener("open", () => socket.send("hello"));
        for (const what of ["handler", "compensate", "close", "background", "timer", "health"])
          await runtime.record(which, `${which} ${what}`);
      }
      assert.equal((await runtime.stop()).code, 0);
      const places = [
        "routes",
        "health",
        "timer",
        "background",
        "route",
        "handler",
        "execute",
        "fail",
        "compensate",
      ];
      places.push("open", "message", "close", "told to stop", "shutdown");
      for (const which of ["left", "right"]) {
        const messages = said(runtime, which).map(({ message }) => String(message));
        assert.deepEqual(messages.toSorted(), places.map((what) => `${which} ${what}`).toSorted());
      }
    });
  });
}

test("logs shows it, pretty puts the name before it, and a log file has it", async () => {
  const files = {
    "runtime.yaml": `
runtime: { log: { format: pretty, file: all.log } }
http: false
services: { talker: { entrypoint: ./talker.ts } }`,
    "talker.ts": `export default { startup() { console.warn("careful\\nnow"); console.log({ a: 1 }); } };`,
  };
  await using runtime = start({ files });
  await runtime.line(/\| started$/);
  const logs = await haraka({ args: ["logs", "talker"], cwd: runtime.folder });
  assert.equal(logs.stdout, 'careful\nnow\n{"a":1}\nready\n');
  assert.deepEqual(runtime.lines.filter((line) => line.startsWith("talker ")).slice(0, 3), [
    "talker | careful",
    "talker | now",
    'talker | {"a":1}',
  ]);
  await runtime.stop();
  const { stdout } = await haraka({ program: ["cat"], args: ["data/all.log"], cwd: runtime.folder });
  const [first] = stdout.split("\n").map((line) => (line ? (JSON.parse(line) as LogRecord) : undefined));
  assert.deepEqual(
    { ...first, time: "" },
    { time: "", level: "warn", service: "talker", stream: "stderr", message: "careful" },
  );
});

test("the console of a runtime without modules is taken over when a reload brings the first", async () => {
  await using runtime = start({
    files: { "runtime.yaml": 'services: { app: { command: [sleep, "1000"] } }' },
  });
  await runtime.started();
  runtime.write("talker.ts", `console.log("hello"); export default { startup: () => console.log("up") };`);
  runtime.write(
    "runtime.yaml",
    'services: { app: { command: [sleep, "1000"] }, talker: { entrypoint: ./talker.ts } }',
  );
  runtime.signal("SIGHUP");
  await runtime.record("talker", "ready");
  assert.deepEqual(runtime.messages("talker", "stdout"), ["hello", "up"]);
  assert.equal((await runtime.stop()).code, 0);
});

test("validate prints what it has to say, and what a module says on import beside it", async () => {
  const files = {
    "runtime.yaml": "services: { talker: { entrypoint: ./talker.ts } }",
    "talker.ts": `console.log("hello €"); process.stdout.write("there\\n"); export default { startup() {} };`,
  };
  const outcome = await haraka({ args: ["validate", "--json"], files });
  const stdout = '{"ok":true,"services":1}\n';
  assert.deepEqual(outcome, { code: 0, signal: null, stdout, stderr: "hello €\nthere\n" });
});

test("a program of one's own keeps its console", async () => {
  const program = join(root, "test/fixtures/library/talking.ts");
  for (const words of Object.values(JAVASCRIPT_RUNTIMES)) {
    const { stdout, code } = await haraka({ program: words, args: [program] });
    assert.equal(code, 0);
    assert.deepEqual(
      stdout.split("\n").filter((line) => line !== "" && !line.startsWith("{")),
      ["talking", "out"],
    );
  }
});
