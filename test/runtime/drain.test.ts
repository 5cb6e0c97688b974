// The drain as the runtime lives it, with a real gate and a clock that is turned by hand: who is waited for, how long, and who
// is not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createGate } from "../../src/http/gate.ts";
import { HEALTHCHECK_HEADER } from "../../src/http/probers.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import { narrate } from "../../src/runtime/narrate.ts";
import { Supervisor, type SupervisorOptions } from "../../src/runtime/supervisor.ts";
import { testClock } from "../../src/testing.ts";
import { spec } from "../core/arbitrary.ts";
import { scriptedLauncher } from "../fakes/launcher.ts";

const QUESTION = "http://runtime/health/ready";

/** What Deno's server hands to `fetch`. */
const from = (hostname: string) => ({ remoteAddr: { hostname } });

async function started(overrides: Partial<SupervisorOptions> = {}) {
  const clock = testClock();
  const gate = createGate({ clock });
  const events: RuntimeEvent[] = [];
  const supervisor = new Supervisor({
    clock,
    gate,
    emit: (event) => events.push(event),
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: "auto", drainMs: "auto" },
    kubernetes: false,
    ...overrides,
  });
  await supervisor.run([{ spec: spec("api"), launcher: scriptedLauncher() }]);
  const ask = (env: unknown, headers: Record<string, string> = {}) =>
    gate.watch.asked(new Request(QUESTION, { headers }), env);
  return {
    clock,
    supervisor,
    events,
    ask,
    /** Asks several times, `intervalMs` apart, from now on. */
    async probe(times: number, { intervalMs, env, headers }: ProbeOptions) {
      for (let count = 0; count < times; count++) {
        if (count > 0) await clock.advance(intervalMs);
        ask(env, headers);
      }
    },
    /** What it said about the drain. */
    story() {
      const told: string[] = [];
      const tell = (message: string) => void told.push(message);
      const log = { debug() {}, info: tell, warn: tell, error: tell };
      for (const event of events)
        if (event.type === "drain-began" || event.type === "stage-ended") narrate(event, log);
      return told;
    },
    /** How long the drain took; nothing while it goes on. */
    get drainTookMs() {
      const ended = events.find((event) => event.type === "stage-ended");
      return ended?.type === "stage-ended" ? ended.tookMs : undefined;
    },
  };
}

interface ProbeOptions {
  intervalMs: number;
  env: unknown;
  headers?: Record<string, string>;
}

test("nobody probing: no wait", async () => {
  const runtime = await started();
  await runtime.supervisor.shutdown();
  assert.equal(runtime.drainTookMs, 0);
  assert.deepEqual(runtime.story(), []);
});

test("a prober is waited for until it has seen 503 three times and had an interval of its own, and no longer", async () => {
  const runtime = await started();
  await runtime.probe(4, { intervalMs: 500, env: from("10.0.0.7") });
  await runtime.clock.advance(100);
  const ending = runtime.supervisor.shutdown();
  assert.equal(runtime.supervisor.snapshot().ready, false);
  await runtime.clock.advance(400);
  await runtime.probe(3, { intervalMs: 500, env: from("10.0.0.7") });
  await runtime.clock.advance(549);
  assert.equal(runtime.drainTookMs, undefined);
  await runtime.clock.advance(1);
  await ending;
  assert.equal(runtime.drainTookMs, 1_950);
  assert.deepEqual(runtime.story(), [
    "draining until whoever asks readiness knows, at most 4500ms: 10.0.0.7 every 500ms",
  ]);
});

test("a prober that has vanished is forgotten", async () => {
  const runtime = await started();
  await runtime.probe(4, { intervalMs: 500, env: from("10.0.0.7") });
  await runtime.clock.advance(1_600);
  await runtime.supervisor.shutdown();
  assert.equal(runtime.drainTookMs, 0);
});

test("a prober that vanishes in the drain is forgotten then", async () => {
  const runtime = await started();
  await runtime.probe(4, { intervalMs: 500, env: from("10.0.0.7") });
  const ending = runtime.supervisor.shutdown();
  await runtime.clock.advance(5_000);
  await ending;
  assert.equal(runtime.drainTookMs, 1_500);
});

test("a slow prober gets half the budget and is named", async () => {
  const runtime = await started();
  await runtime.probe(2, { intervalMs: 20_000, env: from("10.0.0.7") });
  const ending = runtime.supervisor.shutdown();
  await runtime.clock.advance(10_000);
  const { exitCode } = await ending;
  assert.deepEqual([runtime.drainTookMs, exitCode], [4_500, 0]);
  assert.equal(runtime.story().at(-1), "late: prober 10.0.0.7");
});

const nobodies: readonly [who: string, env: unknown, headers: Record<string, string>][] = [
  ["who asks over a Unix socket", { remoteAddr: { path: "haraka.sock" } }, {}],
  ["who asks over a Unix socket of Bun", { requestIP: () => null }, {}],
  ["who asks over a Unix socket of Node", { incoming: { socket: {} } }, {}],
  ["the image's HEALTHCHECK", from("127.0.0.1"), { [HEALTHCHECK_HEADER]: "1" }],
  ["the image's HEALTHCHECK over IPv6", from("::1"), { [HEALTHCHECK_HEADER]: "1" }],
];
for (const [who, env, headers] of nobodies) {
  test(`${who} is no prober`, async () => {
    const runtime = await started();
    await runtime.probe(4, { intervalMs: 500, env, headers });
    await runtime.supervisor.shutdown();
    assert.equal(runtime.drainTookMs, 0);
  });
}

const somebodies: readonly [who: string, env: unknown, headers: Record<string, string>][] = [
  ["who calls itself a HEALTHCHECK from elsewhere", from("10.0.0.7"), { [HEALTHCHECK_HEADER]: "1" }],
  [
    "who has a HEALTHCHECK's header passed on",
    from("127.0.0.1"),
    { [HEALTHCHECK_HEADER]: "1", via: "1.1 proxy" },
  ],
  ["who asks behind a server that does not say from where", undefined, {}],
];
for (const [who, env, headers] of somebodies) {
  test(`${who} is a prober all the same`, async () => {
    const runtime = await started();
    await runtime.probe(4, { intervalMs: 500, env, headers });
    const ending = runtime.supervisor.shutdown();
    await runtime.clock.advance(10_000);
    await ending;
    assert.equal(runtime.drainTookMs, 1_500);
  });
}

test("a HEALTHCHECK beside a prober of the same address hides nothing", async () => {
  const runtime = await started();
  for (let count = 0; count < 4; count++) {
    runtime.ask(from("127.0.0.1"));
    runtime.ask(from("127.0.0.1"), { [HEALTHCHECK_HEADER]: "1" });
    await runtime.clock.advance(500);
  }
  const ending = runtime.supervisor.shutdown();
  // Its own questions tell nobody else.
  runtime.ask(from("127.0.0.1"), { [HEALTHCHECK_HEADER]: "1" });
  await runtime.clock.advance(10_000);
  await ending;
  assert.equal(runtime.drainTookMs, 1_000);
});

test("at a terminal nobody is waited for", async () => {
  const runtime = await started({ attended: true });
  await runtime.probe(4, { intervalMs: 500, env: from("10.0.0.7") });
  await runtime.supervisor.shutdown();
  assert.equal(runtime.drainTookMs, 0);
});

test("under Kubernetes the drain takes its 5 s, whoever probes", async () => {
  const runtime = await started({ kubernetes: true });
  const ending = runtime.supervisor.shutdown();
  await runtime.clock.advance(20_000);
  await ending;
  assert.equal(runtime.drainTookMs, 5_000);
  assert.deepEqual(runtime.story(), ["draining for 5000ms"]);
});

test("a startup that is cancelled drains nobody", async () => {
  const clock = testClock();
  const gate = createGate({ clock });
  const ask = () => gate.watch.asked(new Request(QUESTION), from("10.0.0.7"));
  const supervisor = new Supervisor({
    clock,
    gate,
    emit() {},
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: "auto", drainMs: "auto" },
    kubernetes: true,
  });
  const launcher = scriptedLauncher({ obliging: false });
  const running = assert.rejects(supervisor.run([{ spec: spec("api"), launcher }]));
  ask();
  await clock.advance(500);
  ask();
  supervisor.onSignal("SIGTERM");
  await clock.advance(0);
  launcher.report({ type: "exited", code: 0, signal: null });
  await running;
});
