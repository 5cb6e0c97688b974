// The control socket's place in the file system: taken over from the dead, never from the living, by one of many, and left as it
// was found. Every holder is a process of its own, with the real server behind it.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, suite, test } from "node:test";
import { openControlSocket, SocketHeldError } from "../../src/drivers/control-socket.ts";
import { JAVASCRIPT_RUNTIMES } from "../e2e/support/programs.ts";
import { isRoot, type RuntimeName, socketFolder, startControl } from "../http/control-rig.ts";

/** Listens without any protocol. */
async function listen(path: string) {
  const server = createServer((connection) => connection.end()).listen(path);
  await once(server, "listening");
  return {
    async close() {
      server.close();
      await once(server, "close");
    },
  };
}

/** A socket that nobody listens on. */
async function leaveStale(path: string): Promise<void> {
  const server = await listen(`${path}~`);
  linkSync(`${path}~`, path);
  await server.close();
}

const open = (path: string) => openControlSocket({ path, listen });

suite("a socket", () => {
  test("is made with its folder, and taken away with its pid", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "state/deep/haraka.sock");
    const before = process.umask();
    const socket = await open(path);
    const inode = lstatSync(path).ino;
    assert.equal(process.umask(), before);
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.equal(lstatSync(join(folder.path, "state")).mode & 0o777, 0o700);
    assert.equal(lstatSync(join(folder.path, "state/deep")).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(join(folder.path, "state/deep")).toSorted(), [
      "haraka.sock",
      `haraka.sock.${inode}.pid`,
    ]);
    assert.equal(readFileSync(`${path}.${inode}.pid`, "utf8"), `${process.pid}\n`);
    await socket.close();
    assert.deepEqual(readdirSync(join(folder.path, "state/deep")), []);
  });

  test("that is another's by now is left alone", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    const first = await open(path);
    rmSync(path);
    const second = await open(path);
    await first.close();
    assert.ok(lstatSync(path).isSocket());
    await assert.rejects(open(path), SocketHeldError);
    await second.close();
    assert.deepEqual(readdirSync(folder.path), []);
  });

  test("that has been moved away is not looked for", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    const socket = await open(path);
    renameSync(path, `${path}.moved`);
    await socket.close();
    assert.ok(lstatSync(`${path}.moved`).isSocket());
  });
});

suite("a socket of the dead", () => {
  test("is taken over", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    await leaveStale(path);
    writeFileSync(`${path}.${lstatSync(path).ino}.pid`, "1\n");
    const socket = await open(path);
    await assert.rejects(open(path), { pid: process.pid });
    await socket.close();
    assert.deepEqual(readdirSync(folder.path), ["haraka.sock.lock"]);
  });

  test("is taken over although the lock of the last one is there", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    for (const _ of [1, 2]) {
      await leaveStale(path);
      await (await open(path)).close();
    }
  });

  test("of a killed runtime is taken over by the next", async () => {
    using folder = socketFolder();
    const socket = join(folder.path, "haraka.sock");
    await using first = await startControl({ socket });
    await first.die();
    assert.ok(lstatSync(socket).isSocket());
    await using second = await startControl({ socket });
    assert.equal(second.opened.pid, second.child.pid);
    assert.equal((await second.ask("GET", "/api/v1/runtime")).status, 200);
  });

  test(
    "is taken over by one of ten that start at once; the nine know its pid",
    { timeout: 60_000 },
    async () => {
      using folder = socketFolder();
      const socket = join(folder.path, "haraka.sock");
      await leaveStale(socket);
      const rigs = await Promise.all(Array.from({ length: 10 }, () => startControl({ socket })));
      const winners = rigs.filter(({ opened }) => opened.error === undefined);
      const pid = winners[0]?.opened.pid;
      const errors = new Set(rigs.flatMap(({ opened }) => opened.error ?? []));
      const answer = await winners[0]?.ask("GET", "/api/v1/runtime");
      for (const rig of rigs) await rig[Symbol.asyncDispose]();
      assert.equal(winners.length, 1);
      assert.deepEqual(
        [...errors],
        [
          `cannot open the control socket ${socket}: a runtime with pid ${pid} holds it; stop that one, or name another with control.socket or HARAKA_DATA`,
        ],
      );
      assert.equal((JSON.parse(answer?.text ?? "{}") as { pid?: number }).pid, pid);
      assert.deepEqual(readdirSync(folder.path), ["haraka.sock.lock"]);
    },
  );

  test("is taken over by one, however closely they follow each other", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    for (let round = 0; round < 20; round++) {
      await leaveStale(path);
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => open(path)));
      const opened = results.filter((result) => result.status === "fulfilled");
      const refused = results.flatMap((result) =>
        result.status === "rejected" ? [result.reason as unknown] : [],
      );
      assert.equal(opened.length, 1);
      for (const reason of refused)
        assert.ok(reason instanceof SocketHeldError && reason.pid === process.pid, String(reason));
      await opened[0]?.value.close();
    }
  });
});

suite("a socket of the living", () => {
  test("is refused, naming the pid", async () => {
    await using holder = await startControl();
    await using second = await startControl({ socket: holder.socket });
    assert.match(second.opened.error ?? "", new RegExp(`a runtime with pid ${holder.opened.pid} holds it`));
    assert.equal((await holder.ask("GET", "/api/v1/runtime")).status, 200);
  });

  test("is refused for the default socket, too", async () => {
    await using holder = await startControl();
    await using second = await startControl({ socket: holder.socket, named: false });
    assert.match(second.opened.error ?? "", /holds it/);
  });

  test("is refused although it hangs", async () => {
    await using holder = await startControl();
    holder.child.kill("SIGSTOP");
    await using second = await startControl({ socket: holder.socket });
    assert.match(second.opened.error ?? "", new RegExp(`pid ${holder.opened.pid} holds it`));
  });

  test("is refused without a pid when it is nobody we know", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    const server = await listen(path);
    await assert.rejects(open(path), (error) => error instanceof SocketHeldError && error.pid === undefined);
    await server.close();
  });
});

suite("what is in the way is said, with what to do", () => {
  const ELSEWHERE = "name another with control.socket, or none with control.socket: false";

  test("a file, a folder", async () => {
    using folder = socketFolder();
    const path = join(folder.path, "haraka.sock");
    writeFileSync(path, "precious");
    await assert.rejects(open(path), {
      message: `there is a file of that name; move it away, or ${ELSEWHERE}`,
    });
    assert.equal(readFileSync(path, "utf8"), "precious");
    rmSync(path);
    mkdirSync(path);
    await assert.rejects(open(path), /there is a folder of that name/);
    assert.deepEqual(readdirSync(folder.path), ["haraka.sock"]);
  });

  test("a folder that is a file", async () => {
    using folder = socketFolder();
    writeFileSync(join(folder.path, "data"), "");
    const path = join(folder.path, "data/haraka.sock");
    await assert.rejects(open(path), {
      message: `${join(folder.path, "data")} is no folder; move it away, or ${ELSEWHERE}`,
    });
  });

  test("a path that is too long, counted in bytes", async () => {
    using folder = socketFolder();
    const room = 107 - Buffer.byteLength(`${folder.path}/`);
    await (await open(join(folder.path, "s".repeat(room)))).close();
    const long = join(folder.path, `${"s".repeat(room - 1)}é`);
    await assert.rejects(open(long), {
      message: `its path takes 108 bytes, a socket's at most 107; ${ELSEWHERE}`,
    });
  });

  test("a folder that may not be written", async () => {
    using folder = socketFolder();
    const data = join(folder.path, "data");
    mkdirSync(data);
    chmodSync(data, 0o500);
    chmodSync(folder.path, 0o711);
    // Root may write anywhere, so it becomes somebody else for this.
    if (isRoot) process.seteuid?.(65_534);
    try {
      const says = `uid ${isRoot ? 65_534 : process.getuid?.()} may not write in ${data}: it belongs to uid ${isRoot ? 0 : process.getuid?.()}, mode 0500; chown or chmod it, or ${ELSEWHERE}`;
      await assert.rejects(open(join(data, "haraka.sock")), { message: says });
      await assert.rejects(open(join(data, "deep/haraka.sock")), { message: says });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    assert.deepEqual(readdirSync(data), []);
  });
});

test("a default socket that cannot be opened is warned about once", async () => {
  using folder = socketFolder();
  const socket = join(folder.path, "haraka.sock");
  writeFileSync(socket, "");
  await using rig = await startControl({ socket, named: false });
  assert.equal(rig.opened.error, undefined);
  const [warning, ...more] = (await rig.command("warnings")) as string[];
  assert.match(
    warning ?? "",
    /^cannot open the control socket .*: there is a file of that name.*going on without it/,
  );
  assert.deepEqual(more, []);
  await using named = await startControl({ socket });
  assert.match(named.opened.error ?? "", /^cannot open the control socket .*: there is a file of that name/);
});

describe("under every runtime", () => {
  for (const runtime of Object.keys(JAVASCRIPT_RUNTIMES) as RuntimeName[]) {
    test(`${runtime} takes over from the dead and is refused by the living`, async () => {
      using folder = socketFolder();
      const socket = join(folder.path, "haraka.sock");
      await leaveStale(socket);
      await using holder = await startControl({ socket, runtime });
      assert.equal(holder.opened.error, undefined);
      await using second = await startControl({ socket, runtime });
      assert.match(second.opened.error ?? "", new RegExp(`pid ${holder.opened.pid} holds it`));
      await holder.end();
      assert.deepEqual(readdirSync(folder.path), ["haraka.sock.lock"]);
    });
  }
});
