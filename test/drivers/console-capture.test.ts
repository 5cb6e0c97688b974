// The console taken over, each time in a process of its own; what becomes records of it is shown end to end in
// `e2e/module-output.test.ts`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";

const driver = join(import.meta.dirname, "../../src/drivers/console-capture.ts");

/** What a program writes in spite of it. */
function run(source: string): string {
  const program = `import { writeSync } from "node:fs";
    import { captureConsole } from ${JSON.stringify(driver)};
    ${source}`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    stdio: "pipe",
  });
}

test("what takes it may fail, and may talk itself, without an end to it or a word beside it", () => {
  const source = `
    let calls = 0;
    captureConsole({ take(bytes) {
      calls++;
      console.log("taking", bytes.length);
      process.stdout.write("taking");
      throw new Error("cannot take it");
    } });
    console.log("one");
    console.error({ two: 2 });
    process.stderr.write("three");
    writeSync(1, String(calls));`;
  assert.equal(run(source), "3");
});

test("an object that talks while it is shown is said after what it says", () => {
  const source = `
    const said = [];
    captureConsole({ take: (bytes) => said.push(String(bytes)) });
    console.log({ toJSON() { console.log("inside"); return { a: 1 }; } });
    writeSync(1, JSON.stringify(said));`;
  assert.equal(run(source), JSON.stringify(["inside\n", '{"a":1}\n']));
});

test("who speaks is known through promises, timers and an import", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "haraka-console-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "talks.mjs");
  writeFileSync(file, 'console.log("importing");');
  const source = `
    const said = [];
    const capture = captureConsole({ take: (bytes, { speaker = "nobody" }) => said.push(speaker + " " + String(bytes).trim()) });
    await capture.as("one", async () => {
      await new Promise((next) => setTimeout(next));
      console.log("waited");
      capture.as(undefined, () => console.log("between"));
      await capture.as("two", async () => console.log("nested"));
      console.log("again");
    });
    console.log("outside");
    const file = ${JSON.stringify(file)};
    await capture.importing("three", { file, load: () => import(file) });
    console.log("over");
    writeSync(1, said.join());`;
  const order = "one waited,nobody between,two nested,one again,nobody outside,three importing,nobody over";
  assert.equal(run(source), order);
});
