// systemd's notification protocol with real senders and listeners: other processes that make the system calls themselves.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { openSocketCalls } from "../../../src/compose/socket-calls.ts";
import {
  notifyManager,
  notifySockets,
  type NotifySocket,
  type Speaker,
  withoutNotify,
} from "../../../src/drivers/linux/notify-socket.ts";
import type { Notice } from "../../../src/ports/probe.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-test-"));
after(() => rmSync(folder, { recursive: true }));
const client = join(import.meta.dirname, "../../fixtures/notify-client.ts");
const onUnable = (reason: string): never => assert.fail(reason);
const sockets = notifySockets({ openCalls: openSocketCalls, onUnable });

interface Heard extends Disposable {
  socket: NotifySocket;
  notices: Notice[];
  /** Resolves once this has been said. */
  heard(notice: Notice): Promise<void>;
}

function listen(speaker: Speaker = {}): Heard {
  const notices: Notice[] = [];
  const waiting = new Set<() => void>();
  const tell = (notice: Notice): void => {
    notices.push(notice);
    for (const look of waiting) look();
  };
  const socket = sockets.open({ speaker, tell });
  const heard = (wanted: Notice): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (notices.some((each) => JSON.stringify(each) === JSON.stringify(wanted))) resolve();
      };
      waiting.add(look);
      look();
    });
  return { socket, notices, heard, [Symbol.dispose]: () => socket.close() };
}

function sender({ address = "" }: NotifySocket, ...words: string[]): ChildProcess {
  const env = { PATH: process.env["PATH"], NOTIFY_SOCKET: address };
  return spawn(process.execPath, [client, "send", ...words], { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** Resolves when all has been sent, which is not yet heard. */
async function send(socket: NotifySocket, ...messages: string[]): Promise<void> {
  const [code] = (await once(sender(socket, ...messages.map((text) => JSON.stringify(text))), "exit")) as [
    number,
  ];
  assert.equal(code, 0);
}

test("what a process says is heard, in its order, line by line", async () => {
  using it = listen();
  const messages = [
    "READY=1\nSTATUS=Up \u001b[1mand\u001b[0m running\nMAINPID=4",
    "WATCHDOG=1\n",
    "RELOADING=1\nMONOTONIC_USEC=5",
    "WATCHDOG=trigger\0",
    "EXTEND_TIMEOUT_USEC=7\nX=1",
    "STOPPING=1",
  ];
  await send(it.socket, ...messages);
  await it.heard({ type: "stopping" });
  assert.deepEqual(it.notices, [
    { type: "ready" },
    { type: "status", text: "Up [1mand[0m running" },
    { type: "alive" },
    { type: "reloading" },
    { type: "trigger" },
    { type: "stopping" },
  ]);
});

test("each socket is its own, and its address needs no file", async () => {
  using one = listen();
  using two = listen();
  assert.match(one.socket.address ?? "", /^@haraka-[-0-9a-f]{36}$/);
  await Promise.all([send(one.socket, "READY=1"), send(two.socket, "WATCHDOG=1")]);
  await Promise.all([one.heard({ type: "ready" }), two.heard({ type: "alive" })]);
  assert.deepEqual([one.notices, two.notices], [[{ type: "ready" }], [{ type: "alive" }]]);
});

test("junk, empty, oversized and half-known datagrams say nothing and break nothing", async () => {
  using it = listen();
  const noise = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  const oversized = `READY=1\nSTATUS=${"x".repeat(4096)}`;
  const near = ["READY=10", "XREADY=1", "READY", "ready=1", "READY=1\0\nSTOPPING=1", "=\n=\n\n"];
  await send(it.socket, "", noise, oversized, oversized.repeat(10), ...near, "", "WATCHDOG=1");
  await it.heard({ type: "alive" });
  assert.deepEqual(it.notices, [{ type: "alive" }]);
});

test("a datagram of the largest size is heard whole", async () => {
  using it = listen();
  const text = "x".repeat(4096 - "STATUS=".length);
  await send(it.socket, `STATUS=${text}`);
  await it.heard({ type: "status", text });
});

test("what the system calls point at outlives a collection of garbage", async () => {
  using it = listen();
  await send(it.socket, "RELOADING=1");
  await it.heard({ type: "reloading" });
  Bun.gc(true);
  // Whatever is free by now is taken.
  const filled = Array.from({ length: 20_000 }, () => new Uint8Array(16).fill(255));
  await send(it.socket, "READY=1");
  await it.heard({ type: "ready" });
  assert.equal(filled.length, 20_000);
});

test("a flood does not hold up the loop, and nothing of it is lost", async () => {
  using it = listen();
  let turns = 0;
  let counting = true;
  const count = (): void => {
    turns++;
    if (counting) setImmediate(count);
  };
  count();
  await send(it.socket, ...Array<string>(3000).fill("WATCHDOG=1"), "STOPPING=1");
  await it.heard({ type: "stopping" });
  counting = false;
  assert.equal(it.notices.length, 3001);
  assert.ok(turns > 10, `${turns} turns of the loop`);
});

test("a flood without an end leaves everything else its turns", async () => {
  const NOTICES = 20_000;
  const flooded = Promise.withResolvers<void>();
  let [sinceTurn, most, total] = [0, 0, 0];
  const socket = sockets.open({
    speaker: {},
    tell() {
      most = Math.max(most, ++sinceTurn);
      if (++total >= NOTICES) flooded.resolve();
    },
  });
  const turn = (): void => {
    sinceTurn = 0;
    if (total < NOTICES) setImmediate(turn);
  };
  turn();
  const { address = "" } = socket;
  const flooder = spawn(process.execPath, [client, "flood", "WATCHDOG=1"], {
    env: { NOTIFY_SOCKET: address },
    stdio: ["ignore", "ignore", "inherit"],
  });
  await flooded.promise;
  socket.close();
  await once(flooder, "exit");
  assert.ok(most <= 64, `${most} notices within one turn`);
});

test("what was said before the end is heard when the socket closes, and nothing after", async () => {
  const it = listen();
  const { address } = it.socket;
  // The loop does not turn before the socket is closed.
  const env = { PATH: process.env["PATH"], NOTIFY_SOCKET: address ?? "" };
  assert.equal(spawnSync(process.execPath, [client, "send", '"READY=1"'], { env }).status, 0);
  it.socket.close();
  assert.deepEqual(it.notices, [{ type: "ready" }]);
  it.socket.close();
  const say = notifyManager({ environment: { NOTIFY_SOCKET: address }, openCalls: openSocketCalls });
  assert.equal(say({ READY: 1 }), false);
});

const isRoot = process.getuid?.() === 0;

test("another user is heard only when it descends from the service", async () => {
  const speaker: Speaker = {};
  using it = listen(speaker);
  const who = isRoot ? ["--uid", "12345"] : [];
  const env = { PATH: process.env["PATH"], NOTIFY_SOCKET: it.socket.address ?? "" };
  // A shell that waits for the client, which stays until it is told to go.
  const words = ["-c", '"$@"; true', "sh", process.execPath, client, "send", "--stay", ...who];
  const start = (text: string): ChildProcess =>
    spawn("sh", [...words, JSON.stringify(text)], { env, stdio: ["pipe", "pipe", "inherit"] });
  const stranger = start("STOPPING=1");
  await once(stranger.stdout ?? stranger, "data");
  await send(it.socket, "WATCHDOG=1");
  await it.heard({ type: "alive" });
  assert.deepEqual(it.notices, isRoot ? [{ type: "alive" }] : [{ type: "stopping" }, { type: "alive" }]);
  const service = start("READY=1");
  if (service.pid !== undefined) speaker.pid = service.pid;
  await it.heard({ type: "ready" });
  for (const child of [stranger, service]) {
    child.stdin?.end();
    await once(child, "exit");
  }
});

test("a stranger who is gone before it is read is not taken for a service that is not there yet", async () => {
  using it = listen();
  const who = isRoot ? ["--uid", "12345"] : [];
  const env = { PATH: process.env["PATH"], NOTIFY_SOCKET: it.socket.address ?? "" };
  // Holds up the loop until the stranger is gone.
  const { status } = spawnSync(process.execPath, [client, "send", ...who, JSON.stringify("STOPPING=1")], {
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  assert.equal(status, 0);
  await send(it.socket, "WATCHDOG=1");
  await it.heard({ type: "alive" });
  assert.deepEqual(it.notices, isRoot ? [{ type: "alive" }] : [{ type: "stopping" }, { type: "alive" }]);
});

test("sockets that have closed are gone", () => {
  const known = (): string => readFileSync("/proc/net/unix", "utf8");
  const open = Array.from({ length: 20 }, () => listen().socket);
  const addresses = open.map(({ address = "none" }) => address);
  assert.ok(addresses.every((address) => known().includes(address)));
  for (const socket of open) socket.close();
  assert.ok(!addresses.some((address) => known().includes(address)));
});

test("without FFI each socket says why, and it is reported once", () => {
  const reported: string[] = [];
  const openCalls = () => {
    throw new Error("no FFI here");
  };
  const none = notifySockets({ openCalls, onUnable: (reason) => reported.push(reason) });
  const told: Notice[] = [];
  for (let count = 0; count < 2; count++) {
    const socket = none.open({ speaker: {}, tell: (notice) => told.push(notice) });
    assert.equal(socket.address, undefined);
    socket.close();
  }
  const mute = { type: "mute", reason: "no FFI here" };
  assert.deepEqual(told, [mute, mute]);
  assert.deepEqual(reported, ["no FFI here"]);
  const say = notifyManager({ environment: { NOTIFY_SOCKET: "@x" }, openCalls });
  assert.equal(say({ READY: 1 }), false);
});

for (const [kind, address] of [
  ["path", join(folder, "notify.sock")],
  ["name", `@haraka-test-${crypto.randomUUID()}`],
] as const) {
  test(`notifyManager says things to a ${kind}, and takes the variables out of the environment`, async () => {
    const listener = spawn(process.execPath, [client, "listen", address, "2"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: listener.stdout });
    const received: string[] = [];
    lines.on("line", (line) => received.push(line));
    await once(lines, "line");
    const environment = { A: "1", NOTIFY_SOCKET: address, WATCHDOG_USEC: "1", WATCHDOG_PID: "1" };
    const say = notifyManager({ environment, openCalls: openSocketCalls });
    assert.deepEqual(environment, { A: "1" });
    assert.equal(say({ READY: 1, MAINPID: process.pid, STATUS: "all up\nREADY=0" }), true);
    assert.equal(say({ STOPPING: 1 }), true);
    await once(lines, "close");
    assert.deepEqual(
      received.slice(1).map((line) => JSON.parse(line) as unknown),
      [`READY=1\nMAINPID=${process.pid}\nSTATUS=all up READY=0`, "STOPPING=1"],
    );
    // Nobody is there any more.
    assert.equal(say({ STATUS: "gone" }), false);
  });
}

test("notifyManager without an address it can use is silent", () => {
  for (const address of [undefined, "", "@", "relative", "vsock:2:1", `/${"x".repeat(107)}`]) {
    const openCalls = () => assert.fail("opened");
    const environment = { ...(address !== undefined && { NOTIFY_SOCKET: address }) };
    assert.equal(notifyManager({ environment, openCalls })({ READY: 1 }), false);
    assert.deepEqual(environment, {});
  }
});

test("withoutNotify leaves the rest, and the original as it was", () => {
  const environment = { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "1", WATCHDOG_PID: "2", PATH: "/bin" };
  assert.deepEqual(withoutNotify(environment), { PATH: "/bin" });
  assert.equal(environment.NOTIFY_SOCKET, "@x");
});
