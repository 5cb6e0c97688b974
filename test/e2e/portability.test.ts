// One smoke suite for the same source under Bun, Deno and Node: the default config boots, answers and ends; what is wrong is
// said the same way; and the tests that need no runtime in particular pass under all of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { root } from "./support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { haraka, isRunning, type RunOptions, start } from "./support/runtime.ts";

const main = join(root, "src/main.ts");
const defaultConfig = join(root, "config/runtime.yaml");

/** A request over HTTP/1.0 without a Host header; everything that came back. */
async function ask(url: string, path: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  let received = "";
  socket.setEncoding("utf8").on("data", (text) => void (received += text));
  socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  await once(socket, "close");
  return received;
}

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  const program = [...words, main];
  const onThis = (options: RunOptions): RunOptions => ({ program, ...options });

  describe(`haraka under ${name}`, () => {
    test("the default config boots, answers and ends with 0 on SIGTERM", { timeout: 60_000 }, async () => {
      await using runtime = start(onThis({ args: ["run", "-c", defaultConfig] }));
      await runtime.started();
      const worker = await runtime.record("worker", "ready");
      const health = (await (await runtime.get("/health")).json()) as { status: string; components: object };
      assert.equal(health.status, "healthy");
      assert.deepEqual(Object.keys(health.components).toSorted(), ["check", "counter", "hello", "worker"]);
      assert.deepEqual(await (await runtime.get("/health/ready")).json(), { status: "ready" });
      assert.equal(await (await runtime.get("/")).text(), "Hello, visitor 1\n");
      const url = await runtime.url();
      assert.match(await ask(url, "/health/ready"), /^HTTP\/1\.[01] 200 [\s\S]*\{"status":"ready"\}/);
      assert.match(await ask(url, "/"), /^HTTP\/1\.[01] 200 [\s\S]*Hello, visitor 2\n/);
      const { code, stderr } = await runtime.stop();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.deepEqual(runtime.whoBecame("stopped").toSorted(), ["counter", "hello", "worker"]);
      assert.equal(isRunning(worker.pid ?? 0), false);
    });

    test("a module outside the repository imports haraka-runtime", { timeout: 60_000 }, async () => {
      const files = {
        "runtime.yaml": `services: { shop: { entrypoint: "./shop.ts#Shop", settings: { goods: tea } } }`,
        "shop.ts": `
          import { type Hono, Service, z } from "haraka-runtime";
          export const settings = z.object({ goods: z.string() });
          export class Shop extends Service<z.infer<typeof settings>> {
            override routes(app: Hono): void {
              app.get("/goods", (c) => c.text(this.settings.goods));
            }
          }`,
      };
      await using runtime = start(onThis({ files }));
      await runtime.started();
      assert.equal(await (await runtime.get("/goods")).text(), "tea");
      assert.equal((await runtime.stop()).code, 0);
    });

    test("a port in use ends the start with 1 and names the holder", { timeout: 60_000 }, async () => {
      const files = { "runtime.yaml": `services: { app: { command: [sleep, "1000"] } }` };
      await using holder = start(onThis({ files }));
      const { port } = new URL(await holder.url());
      const { code, stdout, stderr } = await haraka(onThis({ files, env: { PORT: port } }));
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, new RegExp(`^haraka: cannot open port ${port} .* in use by pid ${holder.pid} `));
    });

    for (const host of ["203.0.113.9", "nohost.invalid"]) {
      test(
        `a host that is not this machine's (${host}) is said with what to do`,
        { timeout: 60_000 },
        async () => {
          const files = {
            "runtime.yaml": `http: { host: ${host} }\nservices: { app: { command: [sleep, "1000"] } }`,
          };
          const { code, stderr } = await haraka(onThis({ files }));
          assert.equal(code, 1);
          assert.match(
            stderr,
            new RegExp(
              `^haraka: cannot open port 0 on ${host}: .*; set http\\.host to an address of this machine, or to 0\\.0\\.0\\.0 for all of them\n$`,
            ),
          );
        },
      );
    }

    test("validate accepts the default config, modules included", { timeout: 60_000 }, async () => {
      const outcome = await haraka(onThis({ args: ["validate", "-c", defaultConfig] }));
      assert.deepEqual(outcome, { code: 0, signal: null, stdout: "ok: 4 services\n", stderr: "" });
    });

    test("a bad config ends with 2 and every problem with its position", { timeout: 60_000 }, async () => {
      const files = {
        "runtime.yaml": "services:\n  a:\n    commnd: [true]\n  b: { command: [x], priority: high }\n",
      };
      const { code, stdout, stderr } = await haraka(onThis({ files }));
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, /runtime\.yaml:3:5 services\.a\.commnd: /);
      assert.match(stderr, /runtime\.yaml:4:32 services\.b\.priority: /);
    });

    test("the code of a critical process is the runtime's", { timeout: 60_000 }, async () => {
      const script = "echo up; until [ -e go ]; do sleep 0.01; done; exit 3";
      const files = {
        "runtime.yaml": `services: { app: { command: [sh, -c, "${script}"], startup: { log: up } } }`,
      };
      await using runtime = start(onThis({ files }));
      await runtime.started();
      writeFileSync(join(runtime.folder, "go"), "");
      assert.equal((await runtime.ended).code, 3);
    });
  });
}

const portable = ["config", "core", "compose", "runtime"].map((name) => `test/${name}`);
const stores = [
  "test/contracts/store.test.ts",
  "test/drivers/store-embedded.test.ts",
  "test/redis/contract.test.ts",
  "test/redis/faults.test.ts",
];
const runners = {
  deno: [JAVASCRIPT_RUNTIMES.deno[0], "test", "--allow-all", "--no-check", "--quiet", ...portable, ...stores],
  node: [
    JAVASCRIPT_RUNTIMES.node[0],
    "--test",
    ...portable.map((folder) => `${folder}/**/*.test.ts`),
    ...stores,
  ],
};
for (const [name, [command, ...words]] of Object.entries(runners)) {
  test(`the tests of what is portable pass under ${name}`, { timeout: 300_000 }, async () => {
    const env = { ...process.env, NO_COLOR: "1", HARAKA_STORE_RUNS: "15" };
    const { stdout } = await promisify(execFile)(command ?? "", words, { cwd: root, env }).catch(
      ({ stdout, stderr }: { stdout: string; stderr: string }) => assert.fail(`${stdout}\n${stderr}`),
    );
    const [, passed = "0"] = /(\d+) passed/.exec(stdout) ?? /^ℹ pass (\d+)/m.exec(stdout) ?? [];
    assert.ok(Number(passed) > 20, stdout);
  });
}
