// `haraka dev` and the code of modules: what changes is loaded anew, with everything that leads to it and nothing else, and what
// cannot be loaded takes nobody down.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { root } from "./support/binary.ts";
import { develop, SPEAKER, word } from "./support/develop.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";

describe("dev and the code of modules", () => {
  test("a file that a module imports restarts it, and what needs it, once, and says why", async () => {
    await using runtime = develop({
      "runtime.yaml": `
services:
  api: { entrypoint: ./api.ts, dependencies: [speaker] }
  speaker: { entrypoint: ./speaker.ts }
  other: { command: [sleep, "1000"] }
`,
      "speaker.ts": SPEAKER,
      "words/word.ts": word("one"),
      "api.ts": `export default { startup() { this.runtime.log.info("api is up"); } };`,
    });
    await runtime.started();
    runtime.write("words/word.ts", word("two"));
    await runtime.record("speaker", "says two");
    await runtime.record("haraka", "words/word.ts changed: restarting speaker; then api, which needs it");
    // What comes after the third word has everything before it behind it.
    runtime.write("words/word.ts", word("three"));
    await runtime.record("speaker", "says three");
    assert.equal((await runtime.stop()).code, 0);
    const said = runtime.messages("speaker").filter((message) => /says|bye/.test(String(message)));
    assert.deepEqual(said, ["says one", "bye", "says two", "bye", "says three", "bye"]);
    assert.equal(runtime.messages("other").filter((message) => message === "ready").length, 1);
  });

  test("new code finds itself, its neighbours, packages and the library where the old did", async () => {
    const module = (version: number): string => `
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Service, z } from "haraka-runtime";
import { answer } from "deep-thought";
import data from "./data.json";
${"\n".repeat(version)}
export const settings = z.object({ times: z.number().default(${version}) });
function fail(): never { throw new Error("as planned"); }
export default class extends Service<z.infer<typeof settings>> {
  startup() {
    const beside = readFileSync(new URL("./data.json", import.meta.url), "utf8").trim();
    const places = [import.meta.dirname, import.meta.filename, fileURLToPath(import.meta.url)];
    let stack = "";
    try { fail(); } catch (error) { stack = (error as Error).stack ?? ""; }
    const at = /mirror\\.ts:(\\d+):\\d+/.exec(stack)?.[1];
    this.runtime.log.info(JSON.stringify({ times: this.settings.times, answer, data, beside, places, at, stack: stack.includes("?") }));
  }
}`;
    await using runtime = develop({
      "runtime.yaml": "services: { mirror: { entrypoint: ./mirror.ts } }",
      "mirror.ts": module(1),
      "data.json": '{"n":1}',
      "node_modules/deep-thought/package.json": '{ "name": "deep-thought", "main": "index.js" }',
      "node_modules/deep-thought/index.js": "exports.answer = 42;",
    });
    const places = ["", "/mirror.ts", "/mirror.ts"].map((name) => runtime.folder + name);
    const seen = (n: number): string =>
      JSON.stringify({
        times: n,
        answer: 42,
        data: { n },
        beside: `{"n":${n}}`,
        places,
        at: String(9 + n),
        stack: false,
      });
    await runtime.record("mirror", seen(1));
    runtime.write("data.json", '{"n":2}').write("mirror.ts", module(2));
    await runtime.record("mirror", seen(2));
  });

  test("a class that others share stays the same where its file has not changed", async () => {
    const user = (text: string): string => `
import { Service } from "haraka-runtime";
import { Store } from "./store.ts";
export default class extends Service { startup() { this.runtime.log.info("${text} " + this.runtime.get(Store).id); } }`;
    await using runtime = develop({
      "runtime.yaml": `services: { store: { entrypoint: "./store.ts#Store" }, user: { entrypoint: ./user.ts, dependencies: [store] } }`,
      "store.ts": `import { Service } from "haraka-runtime";\nexport class Store extends Service { id = "a"; }`,
      "user.ts": user("one"),
    });
    await runtime.record("user", "one a");
    runtime.write("user.ts", user("two"));
    await runtime.record("user", "two a");
    await runtime.record("haraka", "user.ts changed: restarting user");
    runtime.write(
      "store.ts",
      `import { Service } from "haraka-runtime";\nexport class Store extends Service { id = "b"; }`,
    );
    await runtime.record("user", "two b");
    await runtime.record("haraka", "store.ts changed: restarting store, user");
  });

  const BROKEN = [
    ["does not parse", "export const word = ;", /^stays as it is: cannot load .*words\/word\.ts:1:\d+ /],
    ["lacks an export", "export const wrod = 1;", /^stays as it is: cannot load .*'word' not found/],
    [
      "imports what is not there",
      'import "./gone.ts"; export const word = 1;',
      /^stays as it is: .*\.\/gone\.ts/,
    ],
    ["throws", 'throw new Error("no luck"); export const word = 1;', /^stays as it is: .*no luck/],
  ] as const;
  for (const [what, code, says] of BROKEN) {
    test(`code that ${what} leaves what runs alone, and the next that can be loaded takes its place`, async () => {
      await using runtime = develop({
        "runtime.yaml": "services: { speaker: { entrypoint: ./speaker.ts } }",
        "speaker.ts": SPEAKER,
        "words/word.ts": word("one"),
      });
      await runtime.record("speaker", "says one");
      await runtime.started();
      runtime.write("words/word.ts", code);
      const { message } = await runtime.record("speaker", says);
      assert.doesNotMatch(String(message), /\?v=/);
      await runtime.record("haraka", "words/word.ts changed: cannot restart speaker");
      runtime.write("words/word.ts", word("two"));
      await runtime.record("speaker", "says two");
      const said = runtime.messages("speaker").filter((each) => /says|bye/.test(String(each)));
      assert.deepEqual(said, ["says one", "bye", "says two"]);
    });

    test(`code that ${what} at the start is waited for`, async () => {
      await using runtime = develop({
        "runtime.yaml": "services: { speaker: { entrypoint: ./speaker.ts } }",
        "speaker.ts": SPEAKER,
        "words/word.ts": code,
      });
      await runtime.record(
        "speaker",
        /^failed: cannot load .*; it is tried again with the next change, or with: r speaker$/,
      );
      runtime.write("words/word.ts", word("two"));
      await runtime.record("speaker", "says two");
    });
  }

  test("a file that an import misses is waited for", async () => {
    await using runtime = develop({
      "runtime.yaml": "services: { speaker: { entrypoint: ./speaker.ts } }",
      "speaker.ts": SPEAKER,
    });
    await runtime.record("speaker", /^failed: cannot load /);
    mkdirSync(join(runtime.folder, "words"));
    runtime.write("words/word.ts", word("late"));
    await runtime.record("speaker", "says late");
  });
});

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`dev under ${name} follows what modules import, CommonJS and what they come to import too`, async () => {
    await using runtime = develop(
      {
        "runtime.yaml": `services: { api: { entrypoint: ./api.ts, dependencies: [speaker] }, speaker: { entrypoint: ./speaker.ts } }`,
        "speaker.ts": SPEAKER,
        "words/word.ts": word("one"),
        "words/old.cjs": 'exports.word = "old";',
        "api.ts": `export default { startup() { this.runtime.log.info("up"); } };`,
      },
      { program: [...words, join(root, "src/main.ts")] },
    );
    await runtime.record("speaker", "says one");
    await runtime.record("haraka", "started");
    runtime.write("words/word.ts", 'export const wrod = "two";');
    await runtime.record("speaker", /^stays as it is: /);
    runtime.write("words/word.ts", 'import old from "./old.cjs";\nexport const { word } = old;\n');
    await runtime.record("speaker", "says old");
    await runtime.record("haraka", /changed: restarting speaker; then api, which needs it$/);
    runtime.write("words/old.cjs", 'exports.word = "older";');
    await runtime.record("speaker", "says older");
    runtime.write("speaker.ts", SPEAKER.replaceAll("words/word", "words/new"));
    await runtime.record("speaker", /^stays as it is: /);
    runtime.write("words/new.ts", word("new"));
    await runtime.record("speaker", "says new");
    assert.equal((await runtime.stop()).code, 0);
    const said = runtime.messages("speaker").filter((each) => /says/.test(String(each)));
    assert.deepEqual(said, ["says one", "says old", "says older", "says new"]);
  });
}
