// The control API without a socket: what each path answers, and what it refuses.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { testClock } from "../../src/compose/testing.ts";
import { createControl } from "../../src/http/control.ts";
import type { Log } from "../../src/ports/log.ts";
import { NOW_MS, scriptedOperator, service } from "../fakes/operator.ts";
import { silentLog } from "./silent-log.ts";

const ISO = new Date(NOW_MS).toISOString();

function rig(log: Log = silentLog) {
  const operator = scriptedOperator();
  const ending = new AbortController();
  const clock = testClock();
  const app = createControl({
    status: operator,
    operate: operator,
    logs: operator.logs,
    log,
    clock,
    ending: ending.signal,
    channel: "the control socket",
  });
  const request = async (path: string, init?: RequestInit) =>
    app.fetch(new Request(`http://localhost/api/v1${path}`, init));
  const ask = async (path: string, init?: RequestInit) => {
    const response = await request(path, init);
    const text = await response.text();
    return [response.status, text === "" ? undefined : JSON.parse(text)] as const;
  };
  return { operator, ending, clock, request, ask };
}

const POST = { method: "POST" };

suite("looking", () => {
  test("runtime says what it is, in whole milliseconds", async () => {
    const [status, body] = await rig().ask("/runtime");
    assert.equal(status, 200);
    assert.deepEqual(body, {
      name: "shop",
      version: "1.2.3",
      pid: process.pid,
      state: "started",
      ready: true,
      uptimeMs: 1234,
      blockedBy: [],
      limits: { memoryBytes: 536_870_912 },
    });
  });

  test("runtime shows the ledger while it stops, and who blocks since when", async () => {
    const { operator, ask } = rig();
    const ledger = { budgetMs: 9000, elapsedMs: 10, stage: "drain", reason: "SIGTERM", done: [] } as const;
    const blockedBy = [{ service: "db", reason: "is starting", sinceMs: NOW_MS, attempts: 1 }];
    operator.runtimeIs = { state: "draining", ready: false, ledger, blockedBy };
    const [, body] = await ask("/runtime");
    assert.deepEqual(body.ledger, ledger);
    assert.deepEqual(body.blockedBy, [{ service: "db", reason: "is starting", since: ISO, attempts: 1 }]);
  });

  test("services are a list, and each has its own path", async () => {
    const { operator, ask } = rig();
    const lastExit = { code: 3, signal: null, atMs: NOW_MS };
    operator.set(service("we ird/näme", { state: "backoff", restarts: 2, lastExit, nextRunMs: NOW_MS }));
    const [, list] = await ask("/services");
    assert.equal(list.cursor, null);
    assert.deepEqual(
      list.items.map(({ name }: { name: string }) => name),
      ["db", "api", "we ird/näme"],
    );
    const [status, one] = await ask(`/services/${encodeURIComponent("we ird/näme")}`);
    assert.equal(status, 200);
    assert.deepEqual(one, {
      name: "we ird/näme",
      group: "we ird/näme",
      kind: "process",
      state: "backoff",
      since: ISO,
      critical: true,
      restarts: 2,
      lastExit: { code: 3, signal: null, time: ISO },
      blockedBy: [],
      nextRun: ISO,
      dependencies: [],
    });
  });

  test("timeline has times as ISO 8601, an open end left out", async () => {
    const { operator, ask } = rig();
    const span = { service: "db", fromMs: NOW_MS, state: "starting", critical: true } as const;
    operator.timelineIs = { start: [{ ...span, toMs: NOW_MS }, span], stop: [] };
    const [, body] = await ask("/runtime/timeline");
    const view = { service: "db", state: "starting", critical: true, from: ISO };
    assert.deepEqual(body, { start: [{ ...view, to: ISO }, view], stop: [] });
  });

  test("graph comes in both formats", async () => {
    const { request } = rig();
    const dot = await request("/runtime/graph");
    assert.match(dot.headers.get("content-type") ?? "", /^text\/vnd\.graphviz/);
    assert.equal(await dot.text(), "digraph haraka {}\n");
    assert.equal(await (await request("/runtime/graph?format=mermaid")).text(), "graph LR\n");
  });

  test("logs are the lines that are kept, at most the last of them", async () => {
    const { operator, ask } = rig();
    for (const text of ["one", "two", "three"]) operator.logs.write("db", text);
    operator.logs.write("api", "four", { stream: "stderr", part: 1 });
    const [, all] = await ask("/services/db/logs");
    assert.deepEqual(
      all.items.map(({ seq, message }: { seq: number; message: string }) => `${seq} ${message}`),
      ["1 one", "2 two", "3 three"],
    );
    const [, some] = await ask("/services/db/logs?tail=1&also=api");
    assert.deepEqual(some, {
      items: [
        {
          seq: 3,
          time: new Date(NOW_MS + 2).toISOString(),
          service: "db",
          stream: "stdout",
          message: "three",
        },
        {
          seq: 1,
          time: new Date(NOW_MS + 3).toISOString(),
          service: "api",
          stream: "stderr",
          message: "four",
          part: 1,
        },
      ],
      cursor: null,
    });
    assert.equal((await ask("/services/db/logs?after=2"))[1].items.length, 1);
  });

  test("logs as JSON lines", async () => {
    const { operator, request } = rig();
    operator.logs.write("db", "one");
    operator.logs.write("db", "two");
    const answer = await request("/services/db/logs", { headers: { accept: "application/x-ndjson" } });
    const lines = (await answer.text()).trim().split("\n");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { message: string }).message),
      ["one", "two"],
    );
    const accept = "application/json, application/x-ndjson;q=0.5, text/event-stream;q=0.1";
    const whole = await request("/services/db/logs", { headers: { accept } });
    assert.match(whole.headers.get("content-type") ?? "", /^application\/json/);
  });

  test("HEAD has a status, no body, and leaves nobody listening", async () => {
    const { operator, request } = rig();
    for (const path of ["/runtime", "/runtime/events", "/services/db/logs?follow"]) {
      const answer = await request(path, { method: "HEAD" });
      assert.deepEqual([answer.status, await answer.text()], [200, ""], path);
    }
    assert.deepEqual(operator.listeners, { events: 0, lines: 0 });
  });
});

suite("doing", () => {
  for (const action of ["start", "stop", "restart"]) {
    test(`${action} orders it and answers with what will move`, async () => {
      const { operator, ask } = rig();
      const [status, body] = await ask(`/services/api/${action}`, POST);
      assert.deepEqual([status, body], [202, { services: ["api"] }]);
      assert.deepEqual(operator.calls, [`${action} api`]);
    });
  }

  test("a conflict is 409 and says what to do; cascade, in the query or the body, is passed on", async () => {
    const { operator, ask } = rig();
    const [status, body] = await ask("/services/db/stop", POST);
    assert.deepEqual([status, body.title], [409, "Conflict"]);
    assert.match(body.detail, /'api' needs it; add --cascade/);
    for (const query of ["?cascade", "?cascade=true"]) await ask(`/services/db/stop${query}`, POST);
    await ask("/services/db/stop?cascade=false", { ...POST, body: '{"cascade":true}' });
    assert.deepEqual(operator.calls, ["stop db", ...Array(3).fill("stop db cascade")]);
  });

  test("several are ordered together", async () => {
    const { operator, ask } = rig();
    await ask("/services/db/stop?also=api", POST);
    await ask("/services/db/restart", { ...POST, body: '{"also":["api"]}' });
    assert.deepEqual(operator.calls, ["stop db api", "restart db api"]);
  });

  test("reload says what changed, or why nothing did", async () => {
    const { operator, ask } = rig();
    assert.deepEqual(await ask("/runtime/reload", POST), [200, { added: ["new"], changed: [], removed: [] }]);
    operator.reloads = { ok: false, problems: ["a.yaml:1:1 x: wrong", "a.yaml:2:1 y: wrong"] };
    const [status, body] = await ask("/runtime/reload", POST);
    assert.equal(status, 422);
    assert.deepEqual(
      body.errors.map(({ message }: { message: string }) => message),
      ["a.yaml:1:1 x: wrong", "a.yaml:2:1 y: wrong"],
    );
  });

  test("shutdown says who asked, and why if it was said", async () => {
    const { operator, ask } = rig();
    const [status, body] = await ask("/runtime/shutdown", POST);
    assert.deepEqual([status, body.state], [202, "started"]);
    await ask("/runtime/shutdown", { ...POST, body: '{"reason":"a new version"}' });
    assert.deepEqual(operator.calls, [
      "shutdown asked to stop over the control socket",
      "shutdown asked to stop over the control socket: a new version",
    ]);
  });
});

suite("refusing", () => {
  const cases: [method: string, path: string, body: string | undefined, status: number, says: RegExp][] = [
    ["GET", "/services/dp", undefined, 404, /unknown service \\"dp\\"; did you mean \\"db\\"\?/],
    ["GET", "/services/nobody/logs", undefined, 404, /unknown service \\"nobody\\"/],
    ["GET", "/services/db/logs?also=nobody", undefined, 404, /unknown service \\"nobody\\"/],
    ["POST", "/services/dp/stop", undefined, 404, /did you mean \\"db\\"/],
    ["POST", "/services/db/explode", undefined, 404, /cannot find/],
    ["GET", "/else", undefined, 404, /the control API is/],
    ["POST", "/runtime", undefined, 405, /cannot POST .*: use GET/],
    ["DELETE", "/services/db", undefined, 405, /use GET/],
    ["GET", "/services/db/stop", undefined, 405, /use POST/],
    ["PUT", "/runtime/reload", "{}", 405, /use POST/],
    ["POST", "/services/db/stop", "{", 400, /not JSON/],
    ["POST", "/services/db/stop", "[]", 400, /no JSON object/],
    ["POST", "/services/db/stop", "\0\xff", 400, /not JSON/],
    ["POST", "/services/db/stop", '{"cascde":true}', 422, /cascde: unknown; did you mean \\"cascade\\"/],
    ["POST", "/services/db/stop", '{"cascade":"perhaps"}', 422, /cascade: expected true or false/],
    ["POST", "/services/db/stop", '{"__proto__":1,"constructor":1}', 422, /constructor: unknown/],
    ["POST", "/services/db/stop?cascade=1&cascade=2", undefined, 422, /cascade: expected true or false/],
    ["POST", "/runtime/shutdown", '{"reason":7}', 422, /reason: expected a text/],
    ["POST", "/runtime/reload?now", undefined, 422, /now: unknown/],
    [
      "GET",
      "/services/db/logs?tail=-1&follow=x",
      undefined,
      422,
      /tail: expected a whole number.*follow: expected/,
    ],
    ["GET", "/runtime/graph?format=svg", undefined, 422, /format: expected dot or mermaid/],
    ["POST", "/runtime/shutdown", `{"reason":"${"x".repeat(70_000)}"}`, 413, /larger than 65536 bytes/],
  ];
  for (const [method, path, body, status, says] of cases) {
    test(`${method} ${path} ${JSON.stringify(body ?? "").slice(0, 30)} is ${status}`, async () => {
      const { operator, request } = rig();
      const answer = await request(path, { method, ...(body !== undefined && { body }) });
      const text = await answer.text();
      assert.equal(answer.status, status, text);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      assert.equal((JSON.parse(text) as { status: number }).status, status);
      assert.match(text, says);
      assert.deepEqual(
        operator.calls.filter((call) => !call.includes("dp")),
        [],
      );
      if (status === 405) assert.match(answer.headers.get("allow") ?? "", /GET, HEAD|POST/);
    });
  }

  test("a body that is cut off is the client's doing: 400, and not an error of the runtime", async () => {
    const errors: string[] = [];
    const { operator, request } = rig({ ...silentLog, error: (message) => void errors.push(message) });
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        controller.error(new Error("The connection was closed."));
      },
    });
    const answer = await request("/services/db/stop", { method: "POST", body });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /cut off; send it again/);
    assert.deepEqual([errors, operator.calls], [[], []]);
  });

  test("what a runtime throws is a 500 without its words, and is logged", async () => {
    const operator = scriptedOperator();
    const errors: string[] = [];
    const app = createControl({
      status: {
        ...operator,
        services() {
          throw new Error("secret");
        },
      },
      operate: operator,
      logs: operator.logs,
      log: { ...silentLog, error: (message) => void errors.push(message) },
      clock: testClock(),
      ending: new AbortController().signal,
      channel: "x",
    });
    const answer = await app.fetch(new Request("http://localhost/api/v1/services"));
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /secret/);
    assert.deepEqual(errors, ["cannot answer GET /api/v1/services: secret"]);
  });
});
