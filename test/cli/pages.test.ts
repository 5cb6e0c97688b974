// What the verbs of a running runtime show: pure texts from what the API answers.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { inWords } from "../../src/cli/duration.ts";
import { readEvents, type StreamEvent } from "../../src/cli/event-stream.ts";
import { explanationOf, tree } from "../../src/cli/explanation.ts";
import { gantt } from "../../src/cli/gantt.ts";
import { cut, plain, statusTable } from "../../src/cli/status-table.ts";
import { keyOf, keysOf, logsPage, servicesPage } from "../../src/cli/watch-pages.ts";
import type { LineView, RuntimeView, ServiceView } from "../../src/http/control-views.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const ago = (ms: number): string => new Date(NOW_MS - ms).toISOString();

const runtime: RuntimeView = {
  name: "shop",
  version: "1.2.3",
  pid: 7,
  state: "started",
  ready: true,
  uptimeMs: 65_000,
  limits: {},
  blockedBy: [],
};

function view(name: string, more: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    group: name,
    kind: "process",
    state: "ready",
    since: ago(5_000),
    critical: true,
    restarts: 0,
    dependencies: [],
    blockedBy: [],
    ...more,
  };
}

const blocker = (service: string, reason = "is starting") => ({
  service,
  reason,
  since: ago(1_000),
  attempts: 1,
});

suite("durations", () => {
  for (const [ms, words] of [
    [-5, "0ms"],
    [0.4, "0ms"],
    [999.6, "1.0s"],
    [1_000, "1.0s"],
    [59_999, "59.9s"],
    [184_000, "3m 4s"],
    [7_500_000, "2h 5m"],
    [86_400_000 * 3 + 3_600_000 * 4, "3d 4h"],
  ] as const)
    test(`${ms} ms is ${words}`, () => assert.equal(inWords(ms), words));
});

suite("the status table", () => {
  test("has a line for the runtime and one for each service", () => {
    const services = [
      view("db", { pid: 11 }),
      view("api-server", { state: "backoff", restarts: 3, reason: "ended with code 3" }),
      view("web", { state: "pending", blockedBy: [blocker("api-server", "ended with code 3")] }),
      view("nightly", { state: "pending", nextRun: "2026-01-03T00:00:00.000Z" }),
      view("old", { state: "stopped", lastExit: { code: null, signal: "SIGKILL", time: ago(1) } }),
    ];
    assert.deepEqual(statusTable({ runtime, services }, { nowMs: NOW_MS, colour: false }), [
      "shop 1.2.3  started, ready  pid 7  up 1m 5s",
      "",
      "SERVICE     STATE    FOR   PID  RESTARTS",
      "db          ready    5.0s  11   0",
      "api-server  backoff  5.0s  -    3         ended with code 3",
      "web         pending  5.0s  -    0         waits for api-server: ended with code 3",
      "nightly     pending  5.0s  -    0         runs next at 2026-01-03T00:00:00.000Z",
      "old         stopped  5.0s  -    0         ended before with signal SIGKILL",
    ]);
  });

  test("shows limits, what blocks, and the ledger of a shutdown", () => {
    const limits = { memoryBytes: 512 * 1024 * 1024, memoryUsedBytes: 100 * 1024 * 1024, cpus: 1.5 };
    const blocked = { ...runtime, ready: false, limits, blockedBy: [blocker("db")] };
    const lines = statusTable({ runtime: blocked, services: [] }, { nowMs: NOW_MS, colour: false });
    assert.equal(
      lines[0],
      "shop 1.2.3  started, not ready  pid 7  up 1m 5s  memory 100 MiB of 512 MiB  1.5 cpus",
    );
    assert.equal(lines[1], "not ready: db: is starting");
    const done = [{ stage: "drain" as const, tookMs: 3, late: ["1 request"] }];
    const ledger = { budgetMs: 9_000, elapsedMs: 1_200, stage: "services" as const, reason: "SIGTERM", done };
    const [, stops] = statusTable(
      { runtime: { ...runtime, ledger }, services: [] },
      { nowMs: NOW_MS, colour: false },
    );
    assert.equal(stops, "stopping (SIGTERM): services, 1.2s of 9.0s; late: 1 request");
  });

  test("is cut to the width, and coloured only on the word", () => {
    const services = [view("db", { state: "failed", reason: "x".repeat(200) })];
    const lines = statusTable({ runtime, services }, { nowMs: NOW_MS, colour: true, width: 40 });
    // oxlint-disable-next-line no-control-regex -- the colours
    assert.match(lines.at(-1) ?? "", /^db {7}\x1b\[31mfailed\x1b\[0m {2}5\.0s {2}- {4}0 {9}x+…$/);
    // oxlint-disable-next-line no-control-regex -- the colours
    for (const line of lines) assert.ok(line.replace(/\x1b\[\d+m/g, "").length <= 40, line);
  });

  test("shows nothing that moves the cursor", () => {
    assert.equal(plain("a\x1b[2Jb\x1b]0;title\x07c\r\n\td\x9be"), "ab]0;titlec de");
    const services = [view("db", { reason: "\x1b[31mred\x1b[0m" })];
    assert.match(statusTable({ runtime, services }, { nowMs: NOW_MS, colour: false }).at(-1) ?? "", / red$/);
  });

  test("is cut between letters", () => {
    assert.equal(cut("ab𝄞cd", 4), "ab𝄞…");
    assert.equal(cut("abcd", 4), "abcd");
  });
});

suite("explanations", () => {
  const services = [
    view("db", {
      state: "backoff",
      reason: "ended with code 3",
      restarts: 2,
      lastExit: { code: 3, signal: null, time: ago(1) },
    }),
    view("cache", { state: "starting", reason: "startup probe has not passed" }),
    view("api", {
      state: "pending",
      dependencies: ["db", "cache"],
      blockedBy: [blocker("db"), blocker("cache")],
    }),
    view("web", {
      state: "pending",
      reason: "waits for 'api' to be ready",
      dependencies: ["api"],
      blockedBy: [blocker("api"), blocker("db"), blocker("cache")],
    }),
    view("ready", {}),
  ];

  test("go down the chain, each service once", () => {
    assert.deepEqual(tree(explanationOf("web", services), NOW_MS), [
      "web: pending for 5.0s; waits for 'api' to be ready",
      "└─ api: pending for 5.0s; waits for db, cache",
      "   ├─ db: backoff for 5.0s; ended with code 3; ended last with code 3; 2 restarts",
      "   └─ cache: starting for 5.0s; startup probe has not passed",
    ]);
  });

  test("of what is ready are one line", () => {
    assert.deepEqual(tree(explanationOf("ready", services), NOW_MS), ["ready: ready for 5.0s"]);
  });

  test("end where services wait for each other", () => {
    const both = [
      view("a", { state: "pending", dependencies: ["b"], blockedBy: [blocker("b"), blocker("a")] }),
      view("b", { state: "pending", dependencies: ["a"], blockedBy: [blocker("a"), blocker("b")] }),
    ];
    assert.equal(tree(explanationOf("a", both), NOW_MS).length, 2);
  });

  test("name who is waited for outside the dependencies", () => {
    const waiting = [
      view("late", { state: "pending", blockedBy: [blocker("early")] }),
      view("early", { state: "starting" }),
    ];
    assert.deepEqual(
      explanationOf("late", waiting).waitsFor.map(({ service }) => service),
      ["early"],
    );
  });
});

suite("the timeline", () => {
  const span = (service: string, fromMs: number, toMs: number | undefined, critical: boolean) => ({
    service,
    state: toMs === undefined ? ("starting" as const) : ("ready" as const),
    critical,
    from: new Date(NOW_MS + fromMs).toISOString(),
    ...(toMs !== undefined && { to: new Date(NOW_MS + toMs).toISOString() }),
  });

  test("has a bar for each, in the order they began, the critical path marked", () => {
    const start = [span("api", 50, 100, true), span("db", 0, 50, true), span("log", 0, 10, false)];
    assert.deepEqual(gantt({ start, stop: [] }, { width: 39, nowMs: NOW_MS }), [
      "start: 100ms",
      `  log |${"───".padEnd(26)}| 10ms`,
      `* db  |${"━━━━━━━━━━━━━".padEnd(26)}| 50ms`,
      `* api |${" ".repeat(13)}${"━".repeat(13)}| 50ms`,
    ]);
  });

  test("lets what has not ended run on until now, and says so", () => {
    const lines = gantt(
      { start: [span("db", 0, undefined, true)], stop: [] },
      { width: 60, nowMs: NOW_MS + 2_000 },
    );
    assert.match(lines[1] ?? "", /2\.0s… starting$/);
  });

  test("keeps to the width, however little there is, and to zero time", () => {
    const start = [span("a-very-long-name", 0, 0, true), span("b", 0, 0, false)];
    for (const width of [20, 40, 200]) {
      const lines = gantt({ start, stop: start }, { width, nowMs: NOW_MS });
      assert.ok(lines.every((line) => line.length <= width));
      assert.ok(lines.includes("stop: 0ms"));
    }
  });

  test("says when nothing has started", () => {
    assert.deepEqual(gantt({ start: [], stop: [] }, { width: 80, nowMs: NOW_MS }), [
      "nothing has started yet",
    ]);
  });
});

suite("the pages of --watch", () => {
  const services = Array.from({ length: 30 }, (_, index) => view(`s${index}`));
  const options = { columns: 80, rows: 12, colour: false, nowMs: NOW_MS };

  test("fill the screen and keep the chosen service in sight", () => {
    for (const selected of [0, 15, 29]) {
      const page = servicesPage({ runtime, services }, { ...options, selected, message: "said" });
      assert.equal(page.length, 12);
      assert.ok(
        page.some((line) => line.startsWith(`> s${selected} `)),
        page.join("\n"),
      );
      assert.equal(page.at(-2), "said");
      assert.match(page.at(-1) ?? "", /q quit/);
    }
  });

  test("of a log have its last lines, as text", () => {
    const lines = Array.from({ length: 30 }, (_, seq): LineView => {
      return { seq, time: ago(0), service: "db", stream: "stdout", message: `line ${seq}\x1b[H` };
    });
    const page = logsPage("db", lines, options);
    assert.equal(page.length, 12);
    assert.deepEqual([page[0], page[2], page.at(-2)], ["output of db", "line 21", "line 29"]);
  });

  test("take keys one by one, arrows whole", () => {
    assert.deepEqual(keysOf("\x1b[Aq\x1bOBß\x03"), ["\x1b[A", "q", "\x1bOB", "ß", "\x03"]);
    assert.deepEqual(["\x1b[A", "\x1b[B", "l", "q", "\x03"].map(keyOf), [
      "up",
      "down",
      "logs",
      "quit",
      "quit",
    ]);
    assert.deepEqual(keyOf("X"), { action: "stop", cascade: true });
    assert.equal(keyOf("constructor"), undefined);
  });
});

suite("reading events", () => {
  async function read(...chunks: string[]): Promise<StreamEvent[]> {
    const bytes = chunks.map((chunk) => new TextEncoder().encode(chunk));
    return await Array.fromAsync(
      readEvents(
        (async function* () {
          yield* bytes;
        })(),
      ),
    );
  }

  test("takes them apart, wherever the chunks end", async () => {
    const text = 'retry: 1\n\n:\n\nid: 1\nevent: a\ndata: {"x":"ß"}\n\ndata:1\r\n\r\nevent: none\n\n';
    const expected = [
      { event: "a", id: "1", data: { x: "ß" } },
      { event: "message", data: 1 },
    ];
    assert.deepEqual(await read(text), expected);
    assert.deepEqual(await read(...Array.from(text)), expected);
  });

  test("puts several lines of data together", async () => {
    assert.deepEqual(await read("data: [1,\ndata: 2]\n\n"), [{ event: "message", data: [1, 2] }]);
  });

  test("refuses what is no event stream", async () => {
    await assert.rejects(read("data: {\n\n"));
    await assert.rejects(read("x".repeat(2_000_000)), /does not end/);
  });
});
