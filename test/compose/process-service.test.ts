// Process services as they are put together: what their probes run and hear, and what reaches the process. Real processes, on
// every runtime.
import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { probesOf, processContext, processService } from "../../src/compose/process-service.ts";
import { openSocketCalls } from "../../src/compose/socket-calls.ts";
import type { ModuleConfig, ProbeCheck, ProcessConfig, ServiceConfig } from "../../src/config/config.ts";
import type { ServiceSpec } from "../../src/core/spec.ts";
import { notifyManager } from "../../src/drivers/linux/notify-socket.ts";
import type { Log, Output } from "../../src/ports/log.ts";
import type { ProbeResult } from "../../src/ports/probe.ts";
import { record, type Recorded } from "../contracts/outcomes.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-test-")));
after(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;
/** Node has none: there sd_notify fails, and says so. */
const hasFfi = typeof Bun !== "undefined" || "Deno" in globalThis;
const NO_FFI = "sd_notify needs FFI, which Node has not; use notificationFd";

/** One on runtimes of either kind, so that each has what it can do held. */
function testWith(what: "FFI" | "no FFI", name: string, run: () => Promise<void>): void {
  if (hasFfi === (what === "FFI")) test(`${name}, with ${what}`, run);
}

function configOf(run: ProcessConfig | ModuleConfig, probes: Partial<ServiceConfig>): ServiceConfig {
  return {
    name: "app",
    group: "app",
    replica: 1,
    position: { file: "/runtime.yaml", line: 1, column: 1 },
    task: false,
    run,
    priority: 0,
    dependencies: [],
    critical: true,
    profiles: [],
    startTimeoutMs: 1000,
    stopTimeoutMs: 1000,
    restart: {
      policy: "never",
      backoff: { minMs: 1, maxMs: 1 },
      limit: { count: 1, windowMs: 1 },
      resetAfterMs: 1,
    },
    routes: [],
    watch: [],
    ...probes,
  };
}

const probe = (check: ProbeCheck, intervalMs = 1000) => ({
  ...check,
  intervalMs,
  timeoutMs: 1000,
  failureThreshold: 3,
  successThreshold: 1,
});

interface Rig {
  launch: (incarnation?: number) => Recorded;
  check: (kind: "startup" | "liveness" | "readiness", signal?: AbortSignal) => Promise<ProbeResult>;
  /** Resolves with the first line of its output that matches, from now on. */
  line: (pattern: RegExp) => Promise<string>;
  lines: string[];
  records: string[];
}

function rig(script: string, probes: Partial<ServiceConfig>, run: Partial<ProcessConfig> = {}): Rig {
  const lines: string[] = [];
  const records: string[] = [];
  const waiting = new Set<() => void>();
  const note = (message: string) => void records.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const output: Output = {
    open: () => ({
      write(batch) {
        for (let index = 0; index < batch.count; index++) lines.push(batch.text(index));
        for (const look of waiting) look();
      },
      end() {},
    }),
    isFull: () => false,
    drained: () => Promise.resolve(),
  };
  const config: ProcessConfig = {
    type: "process",
    argv: ["/bin/sh", "-c", script],
    cwd: folder,
    environment: { OWN: "of the service" },
    stdin: "null",
    stopSignal: "SIGTERM",
    forwardSignals: [],
    ...run,
  };
  const env = { PATH: process.env["PATH"], NOTIFY_SOCKET: "/run/of/the/runtime", WATCHDOG_USEC: "1" };
  const context = processContext({ log, output, env: { ...env, WATCHDOG_PID: "1", SHARED: "by all" } });
  const spec: ServiceSpec = { name: "app" } as ServiceSpec;
  const service = processService({ ...configOf(config, probes), run: config }, spec, context);
  return {
    launch: (incarnation = 1) => record(service.launcher, incarnation),
    check: (kind, signal = never) => service[kind]?.probe.check(signal) ?? assert.fail(`no ${kind} probe`),
    line: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = lines.find((text) => pattern.test(text));
          if (found !== undefined) resolve(found);
        };
        waiting.add(look);
        look();
      }),
    lines,
    records,
  };
}

const LIST = 'echo "${NOTIFY_SOCKET-none} ${WATCHDOG_USEC-none} ${WATCHDOG_PID-none} $SHARED"';

test("what this process was given to notify with reaches no service, and no probe of one", async () => {
  const exec = probe({ type: "exec", argv: ["/bin/sh", "-c", `${LIST} >&2; exit 1`] });
  const it = rig(LIST, { readiness: exec });
  await it.launch().end;
  assert.deepEqual(it.lines, ["none none none by all"]);
  assert.deepEqual(await it.check("readiness"), {
    ok: false,
    reason: '"/bin/sh" ended with 1: none none none by all',
  });
});

test("a variable that the service itself sets is its own business", async () => {
  const it = rig(LIST, {}, { environment: { NOTIFY_SOCKET: "/mine" } });
  await it.launch().end;
  assert.deepEqual(it.lines, ["/mine none none by all"]);
});

test("exec runs in the folder and environment of the service, and what it writes stays out of the log", async () => {
  const argv = ["/bin/sh", "-c", 'echo "$PWD $OWN"; exit 9'];
  const it = rig("sleep 60", { liveness: probe({ type: "exec", argv }) }, { notificationFd: 3 });
  const { running, first, end } = it.launch();
  await first;
  assert.deepEqual(await it.check("liveness"), {
    ok: false,
    reason: `"/bin/sh" ended with 9: ${folder} of the service`,
  });
  running.kill();
  await end;
  assert.deepEqual([it.lines, it.records], [[], []]);
});

test("exec of a module runs in the folder of the runtime", async () => {
  const run: ModuleConfig = {
    type: "module",
    file: "/app.ts",
    exportName: "default",
    entrypoint: "./app.ts",
    settings: undefined,
  };
  const argv = ["/bin/sh", "-c", `${LIST}; echo "$PWD"; exit 1`];
  const open = () => ({ write() {}, end() {} });
  const output: Output = { open, isFull: () => false, drained: async () => {} };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const context = processContext({ log, output, env: { PATH: process.env["PATH"], NOTIFY_SOCKET: "/x" } });
  const { readiness } = probesOf(configOf(run, { readiness: probe({ type: "exec", argv }) }), context);
  assert.deepEqual(await readiness?.probe.check(never), {
    ok: false,
    reason: `"/bin/sh" ended with 1: ${realpathSync(process.cwd())}`,
  });
});

test("notify by descriptor passes startup and readiness when the newline comes", async () => {
  const notify = probe({ type: "notify" });
  const it = rig(
    `${LIST}; echo >&4; sleep 60`,
    { startup: notify, readiness: notify },
    { notificationFd: 4 },
  );
  const { running, end } = it.launch();
  assert.deepEqual(await Promise.all([it.check("startup"), it.check("readiness")]), [
    { ok: true },
    { ok: true },
  ]);
  running.kill();
  await end;
  assert.deepEqual(it.lines, ["none none none by all"]);
});

test("what an earlier incarnation has left behind is not listened to", async () => {
  // The child holds the descriptor of its own incarnation, and speaks when it is told to.
  const child = "trap 'echo >&3; echo said; exit' USR1; echo up; while :; do sleep 0.01; done";
  const it = rig(
    `(${child}) & echo child $!; exit 0`,
    { readiness: probe({ type: "notify" }) },
    { notificationFd: 3 },
  );
  const start = async (incarnation: number): Promise<number> => {
    it.lines.length = 0;
    await it.launch(incarnation).end;
    await it.line(/^up/);
    return Number((await it.line(/^child/)).split(" ")[1]);
  };
  const old = await start(1);
  const young = await start(2);
  process.kill(old, "SIGUSR1");
  await it.line(/^said/);
  assert.equal((await it.check("readiness", AbortSignal.abort())).ok, false);
  const verdict = it.check("readiness");
  process.kill(young, "SIGUSR1");
  assert.deepEqual(await verdict, { ok: true });
});

testWith("FFI", "notify by socket passes on READY=1, and fails from STOPPING=1 on", async () => {
  const it = rig(`${LIST}; sleep 60`, { readiness: probe({ type: "notify" }) });
  const { running, end } = it.launch();
  const [address = "", watchdog] = (await it.line(/^@/)).split(" ");
  assert.equal(watchdog, "none");
  const say = notifyManager({ environment: { NOTIFY_SOCKET: address }, openCalls: openSocketCalls });
  const pending = it.check("readiness");
  assert.equal(say({ STATUS: "warming up" }), true);
  assert.equal(say({ READY: 1 }), true);
  assert.deepEqual(await pending, { ok: true });
  assert.deepEqual(it.records, ["status: warming up"]);
  say({ STOPPING: 1 });
  while ((await it.check("readiness")).ok) await new Promise((turn) => setImmediate(turn));
  running.kill();
  await end;
  assert.equal(say({ READY: 1 }), false, "the socket is still open");
});

testWith("FFI", "a watchdog is announced to the service, and fed and set off by it", async () => {
  const it = rig(`${LIST}; sleep 60`, { liveness: probe({ type: "notify" }, 60_000) }, { notificationFd: 3 });
  const { running, end } = it.launch();
  const [address = "", watchdog] = (await it.line(/^@/)).split(" ");
  assert.equal(watchdog, "60000000");
  assert.deepEqual(await it.check("liveness"), { ok: true });
  const say = notifyManager({ environment: { NOTIFY_SOCKET: address }, openCalls: openSocketCalls });
  say({ WATCHDOG: "trigger" });
  while ((await it.check("liveness")).ok) await new Promise((turn) => setImmediate(turn));
  running.kill();
  await end;
});

testWith("no FFI", "notify by socket fails with what to do, and is warned about once", async () => {
  const it = rig(LIST, { startup: probe({ type: "notify" }), liveness: probe({ type: "notify" }) });
  for (const incarnation of [1, 2]) {
    await it.launch(incarnation).end;
    for (const kind of ["startup", "liveness"] as const) {
      assert.deepEqual(await it.check(kind), { ok: false, reason: NO_FFI });
    }
  }
  assert.deepEqual(it.records, [NO_FFI]);
  assert.equal(it.lines[0], "none 1000000 none by all");
});

test("no process has a descriptor of another's, nor of ours", async () => {
  const list =
    "fd=0; while [ $fd -lt 300 ]; do [ -e /proc/$$/fd/$fd ] && echo $fd; fd=$((fd + 1)); done; echo listed; sleep 60";
  const notify = { readiness: probe({ type: "notify" }) };
  const listed = async (it: Rig): Promise<string[]> => {
    await it.line(/^listed/);
    return it.lines.filter((line) => line !== "listed").toSorted();
  };
  const before = rig(list, {});
  const running = [before.launch()];
  const without = await listed(before);
  for (const [probes, run] of [
    [notify, { notificationFd: 3 }],
    [notify, { notificationFd: 8 }],
    [notify, {}],
  ] as const) {
    const it = rig(list, probes, run);
    running.push(it.launch());
    const own = "notificationFd" in run ? [String(run.notificationFd)] : [];
    assert.deepEqual(await listed(it), [...without, ...own].toSorted());
  }
  for (const each of running) each.running.kill();
  await Promise.all(running.map(({ end }) => end));
});
