// Programs that use the library: the example with a server of its own, from source and compiled, and one that ends by itself
// under every runtime.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Service } from "../../src/mod.ts";
import { root } from "./support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { haraka, start } from "./support/runtime.ts";

const fixtures = join(root, "test/fixtures/library");
const folder = mkdtempSync(join(tmpdir(), "haraka-library-"));
const compiled = join(folder, "app");
before(async () => {
  const words = ["build", "--compile", join(fixtures, "app.ts"), "--outfile", compiled];
  // The build leaves a file of its own beside it for a moment.
  await promisify(execFile)(process.execPath, words, { cwd: folder });
});
after(() => rmSync(folder, { recursive: true }));

/** The parts of a plane, as health has them. */
const PLANE = ["store", "state_surface", "wal", "saga_coordinator", "registry"];

/** What comes next on the socket up to `end`. */
async function readUntil(socket: Socket, end: string): Promise<string> {
  let received = "";
  while (!received.includes(end)) received += String((await once(socket, "data"))[0]);
  return received;
}

const programs = {
  "from source": [process.execPath, join(fixtures, "app.ts")],
  "compiled by bun build": [compiled],
};

for (const [name, program] of Object.entries(programs)) {
  describe(`the library's example, ${name}`, () => {
    test("answers health and its own route, and ends with 0 on SIGTERM", { timeout: 60_000 }, async () => {
      await using runtime = start({ program, args: [] });
      await runtime.started();
      const health = (await (await runtime.get("/health")).json()) as { status: string; components: object };
      assert.equal(health.status, "healthy");
      assert.deepEqual(Object.keys(health.components), [...PLANE, "cache", "api"]);
      assert.deepEqual(await (await runtime.get("/health/ready")).json(), { status: "ready" });
      assert.equal(await (await runtime.get("/")).text(), "hi");
      assert.deepEqual(runtime.messages("api").slice(0, 1), ["uses cache://local"]);
      const { code, stderr } = await runtime.stop();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      const stopped = runtime.whoBecame("stopped");
      assert.deepEqual(
        stopped.filter((name) => !PLANE.includes(name)),
        ["api", "cache"],
      );
      assert.equal(stopped.at(-1), "store");
    });

    test("keeps in its store what the next start finds", { timeout: 60_000 }, async () => {
      await using first = start({ program, args: [] });
      await first.started();
      assert.equal(await (await first.get("/visits")).json(), 1);
      first.signal("SIGKILL");
      await first.ended;
      await using second = start({ program, args: [], cwd: first.folder });
      await second.started();
      assert.equal(await (await second.get("/visits")).json(), 2);
      assert.equal((await second.stop()).code, 0);
    });

    test(
      "refuses newcomers while it stops, and finishes what is in flight",
      { timeout: 60_000 },
      async () => {
        await using runtime = start({ program, args: [] });
        await runtime.started();
        const { port } = new URL(await runtime.url());
        const socket = connect({ host: "127.0.0.1", port: Number(port) });
        socket.write("POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        assert.match(await readUntil(socket, "first"), /^HTTP\/1\.1 200 /);
        runtime.signal("SIGTERM");
        await runtime.record("haraka-runtime", "stopping on SIGTERM");
        let newcomer = await runtime.get("/");
        while (newcomer.status !== 503) newcomer = await runtime.get("/");
        assert.equal(newcomer.headers.get("connection"), "close");
        assert.equal((await runtime.get("/health/live")).status, 200);
        assert.equal((await runtime.get("/health/ready")).status, 503);
        socket.write("6\r\nsecond\r\n0\r\n\r\n");
        assert.match(await readUntil(socket, "0\r\n\r\n"), /second/);
        socket.destroy();
        assert.equal((await runtime.ended).code, 0);
      },
    );
  });
}

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`a program ends by itself after shutdown under ${name}`, { timeout: 60_000 }, async () => {
    const { code, stdout } = await haraka({ program: [...words, join(fixtures, "once.ts")], args: [] });
    assert.equal(code, 0);
    assert.match(stdout, /^shut down$/m);
  });
}

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`a saga's sleep goes on in the next process under ${name}`, { timeout: 60_000 }, async () => {
    const program = [...words, join(fixtures, "sleeper.ts")];
    await using first = start({ program, args: [] });
    assert.deepEqual({ ...(await first.ended), stdout: first.lines }, ended(["hello ann", "reserve"]));
    const second = await haraka({ program, args: [], cwd: first.folder });
    assert.deepEqual({ ...second, stdout: second.stdout.trim().split("\n") }, ended(["charge", "completed"]));
  });
}

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`a program that has lost its store ends with 75 under ${name}`, { timeout: 60_000 }, async () => {
    // Files may not grow beyond 400 blocks: to SQLite that is a disk that is full.
    const program = [
      "sh",
      "-c",
      `trap "" XFSZ; ulimit -f 400; exec "$@"`,
      "sh",
      ...words,
      join(fixtures, "filler.ts"),
    ];
    await using runtime = start({ program, args: [] });
    const { code, signal } = await runtime.ended;
    assert.deepEqual(
      { code, signal, lines: runtime.lines },
      { code: 75, signal: null, lines: ["StoreError"] },
    );
  });
}

/** Well, having said this. */
const ended = (stdout: string[]) => ({ code: 0, signal: null, stdout, stderr: "" });

test("Service takes settings where its type has them, and only there", () => {
  class Cache extends Service<{ url: string }> {}
  class Api extends Service {}
  assert.equal(new Cache({ url: "here" }).settings.url, "here");
  assert.equal(new Api().settings, undefined);
  // @ts-expect-error A cache needs its settings.
  new Cache();
  // @ts-expect-error Its url is a string.
  new Cache({ url: 1 });
  // @ts-expect-error An api has none.
  new Api({ url: "here" });
});
