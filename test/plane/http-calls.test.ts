// Steps that are elsewhere: what a real HTTP server is sent, and what its answers, and its silence, mean.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { StepNode } from "../../src/config/saga-definition.ts";
import type { Call, Result } from "../../src/core/saga-outcome.ts";
import type { CallContext } from "../../src/plane/calls.ts";
import { httpCaller } from "../../src/plane/http-calls.ts";
import type { HttpIntent } from "../../src/plane/intents.ts";
import { Rig } from "./engine-rig.ts";

interface Heard {
  url: string;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

type Reply = (response: ServerResponse, heard: Heard) => void;

class Sink implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly #server: Server;
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async make(reply: Reply): Promise<Sink> {
    let sink: Sink | undefined;
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        const body = (text === "" ? {} : JSON.parse(text)) as Heard["body"];
        const heard = { url: request.url ?? "", headers: request.headers, body };
        sink?.heard.push(heard);
        reply(response, heard);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    sink = new Sink(server);
    return sink;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const EXECUTION = `execution_${"0".repeat(32)}`;

function contextOf(call: Partial<Call>, signal = new AbortController().signal): CallContext {
  return {
    call: { step: "one", direction: "execute", attempt: 1, timeoutMs: 1000, ...call },
    intent: "order.place",
    session: "session_1",
    execution: EXECUTION,
    saga: "saga_1",
    key: `${EXECUTION}/one/execute`,
    payload: { sku: "a" },
    input: () => Promise.resolve(),
    outputs: () => ({ before: 1 }),
    output: undefined,
    signal,
  };
}

async function answerTo(
  url: string,
  options: { call?: Partial<Call>; signal?: AbortSignal } = {},
): Promise<Result> {
  const to = { url, method: "POST", headers: { "x-mine": "yes" } };
  const calls = new Map([["one", { execute: to, compensate: to, verify: to }]]);
  const caller = httpCaller(calls, { fetch, bodyBytesMax: 1000 });
  return caller(contextOf(options.call ?? {}, options.signal));
}

/** What it comes to, in short. */
function short(result: Result): string {
  if (result.type === "done")
    return result.output === undefined ? "done" : `done ${JSON.stringify(result.output)}`;
  return result.type === "absent" ? "absent" : `${result.type} ${result.error.reason}`;
}

test("a call carries what CONTRACT section 7 says", async () => {
  await using sink = await Sink.make((response) => response.end("{}"));
  await answerTo(`${sink.url}/reserve`);
  const [{ url, headers, body } = assert.fail()] = sink.heard;
  assert.equal(url, "/reserve");
  assert.deepEqual(body, {
    intent: "order.place",
    execution: EXECUTION,
    saga: "saga_1",
    step: "one",
    direction: "execute",
    attempt: 1,
    payload: { sku: "a" },
    outputs: { before: 1 },
  });
  assert.equal(headers["idempotency-key"], `${EXECUTION}/one/execute`);
  assert.equal(headers["haraka-execution"], EXECUTION);
  assert.equal(headers["haraka-step"], "one");
  assert.equal(headers["haraka-direction"], "execute");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["x-mine"], "yes");
  assert.match(String(headers["traceparent"]), new RegExp(`^00-${"0".repeat(32)}-[0-9a-f]{16}-01$`));
});

const ANSWERS: [status: number, body: string, execute: string, verify: string][] = [
  [200, '{"a":1}', 'done {"a":1}', 'done {"a":1}'],
  [201, "7", "done 7", "done 7"],
  [204, "", "done", "done"],
  [200, "not JSON", "done", "done"],
  [200, `"${"x".repeat(1000)}"`, "unknown output", "unknown output"],
  [200, `${"[".repeat(100)}${"]".repeat(100)}`, "unknown output", "unknown output"],
  [302, "", "unknown status", "unknown status"],
  [303, "", "unknown status", "unknown status"],
  [307, "", "failed status", "unknown status"],
  [308, "", "failed status", "unknown status"],
  [400, "", "failed status", "unknown status"],
  [404, "", "failed status", "absent"],
  [408, "", "unknown status", "unknown status"],
  [409, "", "failed status", "unknown status"],
  [425, "", "notDone status", "unknown status"],
  [429, "", "notDone status", "unknown status"],
  [500, "", "unknown status", "unknown status"],
  [503, "", "unknown status", "unknown status"],
];

test("every answer means what CONTRACT section 7 says", async () => {
  await using sink = await Sink.make((response, { url }) => {
    const [status = 0, text = ""] = ANSWERS[Number(url.slice(1))] ?? [];
    response.writeHead(status, { location: "/999" }).end(text);
  });
  for (const [index, [status, , execute, verify]] of ANSWERS.entries()) {
    const url = `${sink.url}/${index}`;
    assert.equal(short(await answerTo(url)), execute, `${status}`);
    assert.equal(
      short(await answerTo(url, { call: { direction: "verify" } })),
      verify,
      `${status} to verify`,
    );
  }
  assert.ok(sink.heard.every(({ url }) => url !== "/999"));
});

test("a refused connection is not done, a cut one and an aborted one nobody knows", async () => {
  const closed = await Sink.make(() => {});
  const { url } = closed;
  await closed[Symbol.asyncDispose]();
  assert.equal(short(await answerTo(url)), "notDone refused");
  await using sink = await Sink.make((response, heard) => {
    if (heard.url === "/silent") return;
    if (heard.url === "/cut") response.destroy();
    else response.writeHead(200, { "content-length": "50" }).write("{", () => response.destroy());
  });
  assert.equal(short(await answerTo(`${sink.url}/cut`)), "unknown cut");
  assert.equal(short(await answerTo(`${sink.url}/half`)), "unknown cut");
  const controller = new AbortController();
  const silent = answerTo(`${sink.url}/silent`, { signal: controller.signal });
  while (!sink.heard.some((heard) => heard.url === "/silent")) await new Promise((turn) => setTimeout(turn));
  controller.abort();
  assert.equal(short(await silent), "unknown cut");
});

function step(name: string, rest: Partial<StepNode> = {}): StepNode {
  const retry = { attempts: 3, minMs: 1, maxMs: 5 };
  const flags = { compensable: true, verifiable: false, pivot: false } as const;
  return { type: "step", name, ...flags, timeoutMs: 60_000, retry, inDoubt: "idempotent", ...rest };
}

function intentOf(base: string, nodes: readonly StepNode[]): HttpIntent {
  const to = (path: string) => ({ url: `${base}/${path}`, method: "POST", headers: {} });
  const calls = nodes.map(
    ({ name }) => [name, { execute: to(`do/${name}`), compensate: to(`undo/${name}`) }] as const,
  );
  return { definition: { name: "order.place", version: "1", nodes }, calls: new Map(calls) };
}

test("a saga of HTTP calls has each effect at most once at a sink that knows its keys", async () => {
  const effects = new Map<string, string>();
  const seen = new Map<string, number>();
  await using sink = await Sink.make((response, { url, headers }) => {
    const key = String(headers["idempotency-key"]);
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    effects.set(key, url);
    // Its effect took place, and the answer does not say so.
    if (url === "/do/two" && times === 1) response.destroy();
    else if (url === "/do/three") response.writeHead(422).end();
    else response.end(JSON.stringify({ of: url }));
  });
  await using rig = await Rig.make("memory:");
  rig.intents.registerHttp(intentOf(sink.url, [step("one"), step("two"), step("three")]));
  const { id } = await rig.submit("order.place", { sku: "a" });
  while ((await rig.executions.get(id)).state !== "compensated") await rig.clock.advance(5);
  assert.deepEqual([...effects.values()], ["/do/one", "/do/two", "/do/three", "/undo/two", "/undo/one"]);
  assert.equal(seen.get(`${id}/two/execute`), 2);
  const undo = sink.heard.find(({ url }) => url === "/undo/one");
  assert.deepEqual(undo?.body["output"], { of: "/do/one" });
});
