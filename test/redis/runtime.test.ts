// The runtime with its plane in Redis, as the binary and from source: it waits for Redis and says so, loses it and finds it again, and
// refuses one that may lose what it acknowledges.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { binary, root } from "../e2e/support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";
import { haraka, type RunOptions, type Runtime, start } from "../e2e/support/runtime.ts";
import { RedisServer } from "./server.ts";

const configFor = (server: RedisServer, more = "") => ({
  "runtime.yaml": `
runtime: { startup: { timeout: 500ms } }
store: { driver: redis, url: "${server.url}", namespace: shop${more} }
http: { port: 0 }
services: { idle: { command: [sleep, "1000"] } }
`,
});

async function openSession(runtime: Runtime): Promise<number> {
  const response = await fetch(`${await runtime.url()}/api/v1/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: "u" }),
  });
  await response.body?.cancel();
  return response.status;
}

/** Why that service keeps the runtime from being ready, once it does. */
async function reasonOf(runtime: Runtime, name: string): Promise<string> {
  for (;;) {
    const { blockedBy } = (await (await runtime.until("/health/ready", 503)).json()) as {
      blockedBy: { service: string; reason: string }[];
    };
    const found = blockedBy.find(({ service }) => service === name);
    if (found && !/^is starting|^has not/.test(found.reason)) return found.reason;
  }
}

const programs: Record<string, () => readonly string[]> = {
  "as the binary": () => [binary()],
  ...Object.fromEntries(
    Object.entries(JAVASCRIPT_RUNTIMES).map(([name, words]) => [
      `from source under ${name}`,
      () => [...words, join(root, "src/main.ts")],
    ]),
  ),
};

for (const [name, program] of Object.entries(programs)) {
  describe(name, () => {
    const onThis = (options: RunOptions): RunOptions => ({ program: program(), ...options });

    test("it waits for Redis, and goes on where it was after an outage", { timeout: 60_000 }, async () => {
      await using server = await RedisServer.start();
      await server.stop();
      await using runtime = start(onThis({ files: configFor(server) }));
      assert.equal((await runtime.get("/health/live")).status, 200);
      const reason = await reasonOf(runtime, "store");
      // Longer than all of the startup may take.
      const [record] = runtime.records;
      await runtime.until("/health/ready", 503);
      while (Date.now() < Date.parse(record?.time ?? "") + 700) await runtime.get("/health/live");
      assert.match(reason, /cannot reach the store redis:\/\/127.0.0.1:\d+: /);
      await server.start();
      await runtime.started();
      await runtime.until("/health/ready", 200);
      assert.equal(await openSession(runtime), 201);
      await server.stop("SIGKILL");
      const response = await runtime.until("/health/ready", 503);
      await response.body?.cancel();
      assert.equal(await openSession(runtime), 503);
      assert.equal((await runtime.get("/health/live")).status, 200);
      await server.start();
      await runtime.until("/health/ready", 200);
      assert.equal(await openSession(runtime), 201);
      const sessions = await (await runtime.get("/api/v1/sessions?user=u")).json();
      assert.equal((sessions as { items: unknown[] }).items.length, 2);
      await runtime.record("haraka", /^cannot reach the store redis:/);
      await runtime.record("haraka", "the store can be reached again");
      assert.equal((await runtime.stop()).code, 0);
    });

    test("it ends with 75 over a setting under which Redis may lose what it acknowledged", async () => {
      await using server = await RedisServer.start({ settings: ["--appendfsync", "everysec"] });
      const { code, stdout, stderr } = await haraka(onThis({ files: configFor(server) }));
      assert.equal(code, 75, stdout + stderr);
      assert.match(
        stdout + stderr,
        /its `appendfsync` is `everysec`, not `always`; set it, or say `store.checks: warn`/,
      );
    });
  });
}

test("checks that only warn say so, once", async () => {
  await using server = await RedisServer.start({ settings: ["--appendfsync", "everysec"] });
  await using runtime = start({ files: configFor(server, ", checks: warn") });
  await runtime.started();
  await runtime.stop();
  assert.equal(runtime.lines.filter((line) => line.includes("may lose what it has acknowledged")).length, 1);
});

test("the verbs that look into a store take the URL of Redis", async () => {
  await using server = await RedisServer.start();
  await using runtime = start({ files: configFor(server) });
  await runtime.started();
  assert.equal(await openSession(runtime), 201);
  await runtime.stop();
  const url = `${server.url}/0?namespace=shop`;
  const { code, stdout } = await haraka({ args: ["wal", "verify", "--store", url, "--json"] });
  assert.equal(code, 0, stdout);
  const [tenant] = (JSON.parse(stdout) as { tenants: { tenant: string; events: number }[] }).tenants;
  assert.deepEqual([tenant?.tenant, tenant?.events], ["default", 1]);
  const hash = await haraka({ args: ["store", "hash", url, "--json"] });
  assert.equal((JSON.parse(hash.stdout) as { events: number }).events, 1);
});
