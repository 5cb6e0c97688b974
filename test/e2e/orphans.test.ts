// Orphans: as PID 1 of a namespace and as an ordinary process, the runtime waits for thousands that it never started, while the
// exit status of everything it or a module did start reaches whoever started it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { root } from "./support/binary.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { isRunning, type RunOptions, type Runtime, start } from "./support/runtime.ts";

const linuxOnly = process.platform === "linux" ? false : "orphans are adopted on Linux";
const AS_PID_1 = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Those that end it, freeze it, or say that it has crashed. */
const NOT_HARMLESS = new Set<string>(
  "SIGTERM SIGINT SIGQUIT SIGKILL SIGSTOP SIGSEGV SIGBUS SIGILL SIGFPE SIGTRAP SIGABRT SIGIOT".split(" "),
);

/** Waits until none of our children is dead and not waited for; says how many were at first. */
const UNDERTAKER = `
import { Service } from "haraka-runtime";
import { readdirSync, readFileSync } from "node:fs";
const isOurZombie = (pid) => {
  try {
    const stat = readFileSync("/proc/" + pid + "/stat", "latin1");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(parent) === process.pid;
  } catch {
    return false;
  }
};
const count = () => readdirSync("/proc").filter((name) => Number(name) > 0 && isOurZombie(name)).length;
export default class extends Service {
  async startup() {
    this.runtime.log.info("zombies " + count());
    while (count() > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    this.runtime.log.info("no zombies");
  }
}`;

/** Starts processes in every way a module can, many at a time, and compares how each ended with how it was told to. */
const PARENT = `
import { Service } from "haraka-runtime";
import { spawn } from "node:child_process";
const viaNode = (code) =>
  new Promise((resolve) => spawn("sh", ["-c", "exit " + code], { stdio: "ignore" }).once("exit", resolve));
const viaBun = (code) => Bun.spawn(["sh", "-c", "exit " + code]).exited;
const viaBunSync = async (code) => Bun.spawnSync(["sh", "-c", "exit " + code]).exitCode;
/** Ends while nobody can hear of it: the loop stands still for longer than an orphan is given. */
const unheard = async (code) => {
  const child = Bun.spawn(["sh", "-c", "exit " + code]);
  const end = performance.now() + 2500;
  while (performance.now() < end);
  return await child.exited;
};
/** The same in a thread of its own, while the main loop turns and sees the dead child. */
const inWorker = async (code) => {
  const text = "postMessage(await (" + unheard.toString().replace("2500", "4500") + ")(" + code + "))";
  const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  const { promise, resolve } = Promise.withResolvers();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => resolve(message);
  return await promise;
};
const ways = { viaNode, ...(typeof Bun !== "undefined" && { viaBun, viaBunSync, unheard, inWorker }) };
export default class extends Service {
  async startup() {
    const wrong = [];
    const expect = async (way, code) => {
      const got = await ways[way](code);
      if (got !== code) wrong.push(way + " " + code + " became " + got);
    };
    for (let batch = 0; batch < 10; batch++)
      for (const way of ["viaBun", "viaNode"].filter((each) => ways[each]))
        await Promise.all(Array.from({ length: 20 }, (_, index) => expect(way, (batch * 20 + index) % 256)));
    if (ways.viaBunSync) await expect("viaBunSync", 77);
    if (ways.unheard) await expect("unheard", 78);
    if (ways.inWorker) await expect("inWorker", 79);
    this.runtime.log.info("wrong exits: " + (wrong.join(", ") || "none"));
  }
}`;

const configWith = (orphans: number, delaySeconds: number): string => `
http: false
services:
  mother:
    kind: task
    command: [sh, -c, "sleep ${delaySeconds}; i=0; while [ $$i -lt ${orphans} ]; do (: &); i=$$((i + 1)); done"]
  undertaker: { kind: task, entrypoint: ./undertaker.ts, dependencies: [mother] }
  parent: { kind: task, entrypoint: ./parent.ts }
  code-3: { kind: task, critical: false, command: [sh, -c, "sleep 0.2; exit 3"] }
  code-44: { kind: task, critical: false, command: [sh, -c, "sleep 1.4; exit 44"] }
  signalled: { kind: task, critical: false, command: [sh, -c, "sleep 0.8; kill -KILL $$$$"] }
`;

async function bury(
  orphans: number,
  { delaySeconds = 0, ...options }: RunOptions & { delaySeconds?: number },
): Promise<void> {
  const files = {
    "runtime.yaml": configWith(orphans, delaySeconds),
    "undertaker.ts": UNDERTAKER,
    "parent.ts": PARENT,
  };
  await using runtime = start({ ...options, files });
  const { code, stderr, stdout } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, stdout);
  assert.deepEqual(runtime.messages("parent", "runtime").filter(isAbout("wrong")), ["wrong exits: none"]);
  const [first = "", last] = runtime.messages("undertaker", "runtime").filter(isAbout("zombies"));
  assert.ok(
    Number(/^zombies (\d+)$/.exec(String(first))?.[1]) > 0,
    `nobody became our child: ${String(first)}`,
  );
  assert.equal(last, "no zombies");
  for (const [service, end] of [
    ["code-3", "failed: ended with 3"],
    ["code-44", "failed: ended with 44"],
    ["signalled", "failed: was ended by SIGKILL"],
  ] as const)
    assert.deepEqual(runtime.messages(service, "runtime"), [end]);
}

const isAbout =
  (word: string) =>
  (message: unknown): boolean =>
    String(message).includes(word);

const fromSource = (name: keyof typeof JAVASCRIPT_RUNTIMES): readonly string[] => [
  ...JAVASCRIPT_RUNTIMES[name],
  join(root, "src/main.ts"),
];
const patient = { skip: linuxOnly, timeout: 30_000 };

test("PID 1 waits for 5,000 orphans and takes nobody's exit status", patient, () =>
  bury(5_000, { prefix: AS_PID_1 }),
);

test("an ordinary process adopts 5,000 orphans and takes nobody's exit status", patient, () =>
  bury(5_000, {}),
);

test("so does Deno", patient, () => bury(500, { program: fromSource("deno") }));

test("so does the runtime on a system without pidfds, where SIGCHLD is not to be listened to", patient, () =>
  // They come when nobody has died for a while.
  bury(500, { delaySeconds: 7, prefix: [process.execPath, join(root, "test/fixtures/without-pidfd.ts")] }),
);

test("Node says once, as PID 1, that it cannot wait for orphans", patient, async () => {
  const files = { "runtime.yaml": 'http: false\nservices: { app: { kind: task, command: ["true"] } }' };
  await using runtime = start({ program: fromSource("node"), prefix: AS_PID_1, files });
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.deepEqual(runtime.messages("haraka").filter(isAbout("orphans")), [
    "cannot wait for orphans: Node has no way to call the C library; use the executable, or run under an init that does (docker run --init)",
  ]);
});

/** A shell that starts a daemon of its own session, which says its process id, and then does as told. */
const withDaemon = (then: string): string =>
  `command: [sh, -c, "(setsid sh -c 'echo daemon $$$$; exec sleep 1000' &); ${then}"]`;

async function daemonOf(runtime: Runtime, service: string): Promise<number> {
  const { message } = await runtime.record(service, /^daemon \d+$/);
  return Number(String(message).split(" ")[1]);
}

const DAEMONS = `
http: false
services:
  polite: { ${withDaemon("exec sleep 1000")} }
  stubborn: { ${withDaemon("trap '' TERM; sleep 1000 & wait; wait")}, stopTimeout: 200ms }
  once: { kind: task, ${withDaemon("exit 0")} }
`;

for (const name of ["executable", "deno", "node"] as const) {
  test(`${name} leaves nothing of its services behind, daemons included`, patient, async () => {
    const options = name === "executable" ? {} : { program: fromSource(name) };
    await using runtime = start({ ...options, files: { "runtime.yaml": DAEMONS } });
    const pids = await Promise.all(["polite", "stubborn", "once"].map((each) => daemonOf(runtime, each)));
    await runtime.started();
    assert.deepEqual(pids.map(isRunning), [true, true, true]);
    const { code, stderr } = await runtime.stop();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.deepEqual(pids.filter(isRunning), []);
  });
}

test("as PID 1, a signal that nobody handles does nothing", patient, async () => {
  const files = { "runtime.yaml": 'services: { app: { command: [sleep, "1000"] } }' };
  await using runtime = start({ prefix: AS_PID_1, files });
  await runtime.started();
  const [pid = 0] = readFileSync(`/proc/${runtime.pid}/task/${runtime.pid}/children`, "utf8")
    .split(" ")
    .map(Number);
  for (const signal of Object.keys(constants.signals) as NodeJS.Signals[])
    if (!NOT_HARMLESS.has(signal)) process.kill(pid, constants.signals[signal]);
  assert.equal((await runtime.get("/health/ready")).status, 200);
  assert.deepEqual(runtime.messages("app", "runtime"), ["ready"]);
  process.kill(pid, "SIGTERM");
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});
