// What `run` makes of a reload: whose files have changed restarts, and what cannot be loaded changes nothing at all.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, test } from "node:test";
import { processSockets } from "../../src/compose/process-service.ts";
import { Present } from "../../src/compose/present.ts";
import { readConfig } from "../../src/compose/read-config.ts";
import { routesInCode } from "../../src/compose/routes-in-code.ts";
import { serviceFiles } from "../../src/compose/service-files.ts";
import { chosenSpecs, createServices } from "../../src/compose/services.ts";
import { Operator } from "../../src/runtime/operator.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

const CONFIG = `
services:
  speaker: { entrypoint: ./speaker.ts }
  listener: { entrypoint: ./listener.ts }
`;
const MODULES = {
  "runtime.yaml": CONFIG,
  "speaker.ts": `import { word } from "./words/word.ts"; export default { startup() { this.runtime.log.info(word); } };`,
  "listener.ts": `export default { startup() { this.runtime.log.info("listens to " + process.env.STATION); } };`,
  "words/word.ts": 'export const word = "one";',
};

/** A runtime that has started, with its files; `loadedMs` as `PresentOptions` has it. */
async function runtime({
  loadedMs = Infinity,
  envFiles = [] as string[],
  files = {} as Record<string, string>,
}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-reload-")));
  const put = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  for (const [name, text] of Object.entries({ ...MODULES, ...files })) put(name, text);
  const said: string[] = [];
  const silent = { debug() {}, info: (text: string) => void said.push(text), warn() {}, error() {} };
  const output = { open: () => ({ write() {}, end() {} }), isFull: () => false, drained: async () => {} };
  const clock = testClock();
  const supervisor = new Supervisor({
    clock,
    emit: () => {},
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
  });
  const request = { files: [], envFiles, env: {}, cwd: folder, main: "/app/main.ts" };
  const { config, env } = readConfig(request);
  const context = {
    names: [],
    profiles: [],
    env,
    processes: { log: silent, output, sockets: processSockets(silent) },
    descendants: () => assert.fail("there are no processes"),
    modules: {
      supervisor,
      clock,
      log: silent,
      instances: new Map<string, object>(),
      routesOf: routesInCode(supervisor),
    },
    files: serviceFiles({ globs: false }),
  };
  const running = await createServices(config, chosenSpecs(config, context), context);
  const present = new Present(running, { context, loadedMs, readAgain: () => readConfig(request) });
  const operator = new Operator({
    supervisor,
    name: "shop",
    version: "1",
    pid: 1,
    limits: () => ({}),
    read: () => present.read(),
  });
  await supervisor.run(running.services);
  await supervisor.waitForAllReady({ timeoutMs: 1_000 });
  await present.learn();
  cleanups.push(async () => {
    await supervisor.shutdown();
    rmSync(folder, { recursive: true });
  });
  const reload = async () => {
    const outcome = await operator.reload();
    if (outcome.ok) await supervisor.waitForAllReady({ timeoutMs: 1_000 });
    return outcome;
  };
  const restart = async (name: string) => {
    await operator.act("restart", [name], { cascade: false });
    await supervisor.waitForAllReady({ timeoutMs: 1_000 });
  };
  return { folder, put, said, reload, restart };
}

const NOTHING = { ok: true, added: [], changed: [], removed: [] };

test("a module whose imports have changed restarts, and no other", async () => {
  const { put, said, reload } = await runtime({});
  put("words/word.ts", 'export const word = "two";');
  assert.deepEqual(await reload(), { ...NOTHING, changed: ["speaker"] });
  assert.deepEqual(said.toSorted(), ["listens to undefined", "one", "two"]);
  assert.deepEqual(await reload(), NOTHING);
});

test("a file that was touched, or written as it was, is the same", async () => {
  const { folder, put, reload } = await runtime({});
  utimesSync(join(folder, "words/word.ts"), 1, 1);
  put("speaker.ts", MODULES["speaker.ts"]);
  assert.deepEqual(await reload(), NOTHING);
});

test("what was written while modules were loaded is not taken for what was loaded", async () => {
  const { reload } = await runtime({ loadedMs: 0 });
  assert.deepEqual(await reload(), { ...NOTHING, changed: ["speaker", "listener"] });
  assert.deepEqual(await reload(), NOTHING);
});

test("code that cannot be loaded changes nothing, and says where it is asked for", async () => {
  const { put, said, reload, restart } = await runtime({});
  put("words/word.ts", "export const word = ;");
  put("runtime.yaml", CONFIG.replace("listener:", "other:"));
  const refused = await reload();
  assert.equal(refused.ok, false);
  assert.match(
    String(refused.ok || refused.problems),
    /^runtime\.yaml:3:3 services\.speaker: cannot load .*word\.ts/,
  );
  assert.deepEqual(said.toSorted(), ["listens to undefined", "one"]);
  // Nor is it what a restart gets.
  await restart("speaker");
  assert.deepEqual(said.toSorted(), ["listens to undefined", "one", "one"]);
  put("words/word.ts", 'export const word = "two";');
  assert.deepEqual(await reload(), {
    ok: true,
    added: ["other"],
    changed: ["speaker"],
    removed: ["listener"],
  });
});

test("a service that is there again has the code of now", async () => {
  const { put, said, reload } = await runtime({});
  put("runtime.yaml", CONFIG.replace(/.*speaker.*\n/, ""));
  assert.deepEqual(await reload(), { ...NOTHING, removed: ["speaker"] });
  put("words/word.ts", 'export const word = "two";');
  put("runtime.yaml", CONFIG);
  assert.deepEqual(await reload(), { ...NOTHING, added: ["speaker"] });
  assert.ok(said.includes("two"));
});

test("another environment restarts what inherits it, and reaches modules", async () => {
  const before = process.env["STATION"];
  cleanups.push(() =>
    before === undefined ? delete process.env["STATION"] : (process.env["STATION"] = before),
  );
  const { put, said, reload } = await runtime({ envFiles: ["env"], files: { env: "STATION=one\n" } });
  put("env", "STATION=two\n");
  assert.deepEqual(await reload(), { ...NOTHING, changed: ["speaker", "listener"] });
  assert.ok(said.includes("listens to two"));
});
