// Services that find each other through the binary, over each store: modules and processes, replicas of which one is gone, sagas, and
// what the registry says while the runtime leaves.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { suite, test } from "node:test";
import { sharedRedis } from "../redis/server.ts";
import { freePort, takenPort } from "./support/ports.ts";
import { haraka, type Runtime, start } from "./support/runtime.ts";

/** As it stands in a config; a further store is a further line here. */
const STORES: Record<string, () => string | Promise<string>> = {
  "a store in memory": () => "store: { driver: memory }",
  "a store in a file": () => "store: { driver: sqlite }",
  "a store in Redis": async () =>
    `store: { driver: redis, url: "${(await sharedRedis()).url}", namespace: test-${++namespaces} }
discovery: { advertise: 127.0.0.1 }`,
  "no store": () => "discovery: {}",
};
let namespaces = 0;

const API = `
import { Service } from "haraka-runtime";
export default class extends Service {
  routes(app) {
    app.get("/hello", (c) => c.text("hello from " + this.name));
    app.all("/call/:service/:path", async (c) => {
      try {
        const { service, path } = c.req.param();
        const response = await this.runtime.fetch(\`svc://\${service}/\${path}\`, { method: c.req.method });
        return c.text(await response.text(), response.status);
      } catch (error) {
        return c.text(\`\${error.name}: \${error.message}\`, 502);
      }
    });
    app.get("/list", async (c) => c.json(await this.runtime.registry.list()));
    app.get("/hold", async (c) => c.text(await (await fetch(process.env.TEST_URL + "/hold")).text()));
  }
  async shutdown() {
    if (process.env.TEST_URL) await fetch(process.env.TEST_URL + "/shutdown");
  }
}`;

/** A process that answers at a port of its own; the second replica takes nothing any more. */
const STOCK = `
const { HARAKA_REPLICA: replica, HARAKA_URL: url, HARAKA_TOKEN: token } = process.env;
require("node:http").createServer(async (request, response) => {
  if (request.url === "/registry") {
    const answer = await fetch(url + "/api/v1/registry/api", { headers: { authorization: "Bearer " + token } });
    return void response.end(await answer.text());
  }
  if (replica === "2") return void response.writeHead(503, { connection: "close" }).end("leaving");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ path: request.url, key: request.headers["idempotency-key"] ?? null }));
}).listen(Number(process.argv[2]), "127.0.0.1");
`;

/** Such that both with a 1 and a 2 behind it are free, and none that the system gives to who asks for any. */
async function portsOfReplicas(): Promise<number> {
  for (;;) {
    const base = 1_100 + Math.floor(Math.random() * 2_000);
    if ((await isFree(base * 10 + 1)) && (await isFree(base * 10 + 2))) return base;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createTcpServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function stock(base: number, { replicas = 1 } = {}): string {
  const port = replicas === 1 ? `${base}1` : `"${base}\${HARAKA_REPLICA}"`;
  return `  stock:
    command: [${process.execPath}, stock.cjs, ${port}]
    replicas: ${replicas}
    port: ${port}
    readiness: { tcp: "127.0.0.1:${replicas === 1 ? port : `${base}\${HARAKA_REPLICA}`}" }
    critical: false
`;
}

/** Over the control socket, which answers to the end. */
function ask(runtime: Runtime, path: string, init: RequestInit = {}): Promise<Response> {
  const unix = join(runtime.folder, "data/haraka.sock");
  return fetch(`http://localhost${path}`, { ...init, unix } as RequestInit);
}

async function statesOf(runtime: Runtime): Promise<string[]> {
  const { items } = (await (await ask(runtime, "/api/v1/registry")).json()) as {
    items: { service: string; state: string }[];
  };
  return items.map(({ service, state }) => `${service} ${state}`);
}

/** A server that says what was asked for and answers when it is told to. */
async function signpost() {
  const asked = new Map<string, PromiseWithResolvers<ServerResponse>>();
  const at = (path: string) => {
    const one = asked.get(path) ?? Promise.withResolvers<ServerResponse>();
    asked.set(path, one);
    return one;
  };
  const { port, server: held } = await takenPort();
  held.close();
  await once(held, "close");
  const server = createServer((request, response) => at(request.url ?? "").resolve(response));
  await once(server.listen(port, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** The request, once it is there; `end` answers it. */
    asked: (path: string) => at(path).promise,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

for (const [name, storeOf] of Object.entries(STORES)) {
  suite(`with ${name}`, () => {
    const hasPlane = name !== "no store";

    test("a module calls a module and a process, and a process finds a module", async () => {
      const base = await portsOfReplicas();
      const services = `services:\n  api: { entrypoint: ./api.ts, dependencies: [stock] }\n${stock(base)}`;
      const files = { "runtime.yaml": `${await storeOf()}\n${services}`, "api.ts": API, "stock.cjs": STOCK };
      await using runtime = start({ files });
      await runtime.started();
      const text = async (path: string) => (await runtime.get(path)).text();
      assert.equal(await text("/call/api/hello"), "hello from api");
      assert.deepEqual(JSON.parse(await text("/call/stock/reserve")), { path: "/reserve", key: null });
      assert.equal(
        await text("/call/none/x"),
        "UnreachableError: cannot reach 'none': no service of that name is in the registry",
      );
      const entries = JSON.parse(await text("/list")) as { service: string; port: number; state: string }[];
      const { port } = new URL(await runtime.url());
      assert.deepEqual(
        entries.map((entry) => [entry.service, entry.port, entry.state]),
        [
          ["api", Number(port), "ready"],
          ["stock", Number(`${base}1`), "ready"],
        ],
      );
      const health = (await (await runtime.get("/health")).json()) as { components: object };
      assert.deepEqual(Reflect.get(health.components, "registry"), { status: "healthy", state: "ready" });
      if (!hasPlane) return;
      const found = JSON.parse(await text("/call/stock/registry")) as { items: { service: string }[] };
      assert.deepEqual(
        found.items.map(({ service }) => service),
        ["api"],
      );
    });

    test("a call that may be made twice passes over a replica that leaves, any other does not", async () => {
      const base = await portsOfReplicas();
      const services = `services:\n  api: { entrypoint: ./api.ts, dependencies: [stock] }\n${stock(base, { replicas: 2 })}`;
      const files = { "runtime.yaml": `${await storeOf()}\n${services}`, "api.ts": API, "stock.cjs": STOCK };
      await using runtime = start({ files });
      await runtime.started();
      await Promise.all(["stock-1", "stock-2"].map((name) => runtime.record(name, "ready")));
      const url = await runtime.url();
      const statuses = async (method: string) => {
        const all: number[] = [];
        for (let call = 0; call < 4; call++)
          all.push((await fetch(`${url}/call/stock/x`, { method, keepalive: false })).status);
        return all.toSorted((one, other) => one - other);
      };
      assert.deepEqual(await statuses("GET"), [200, 200, 200, 200]);
      assert.deepEqual(await statuses("PUT"), [200, 200, 200, 200]);
      assert.deepEqual(await statuses("POST"), [200, 200, 503, 503]);
    });

    test("a process that was killed is not found, and found again once it is back", async () => {
      const base = await portsOfReplicas();
      const services = `services:\n  api: { entrypoint: ./api.ts, dependencies: [stock] }\n${stock(base)}`;
      const files = { "runtime.yaml": `${await storeOf()}\n${services}`, "api.ts": API, "stock.cjs": STOCK };
      await using runtime = start({ files });
      await runtime.started();
      const { pid = 0 } = await runtime.record("stock", "ready");
      process.kill(pid, "SIGKILL");
      await runtime.record("stock", /SIGKILL/);
      const lost = await runtime.get("/call/stock/x");
      assert.match(await lost.text(), /no service of that name is in the registry/);
      assert.equal(
        (await ask(runtime, "/api/v1/services/stock/start", { method: "POST" })).status < 300,
        true,
      );
      while ((await runtime.get("/call/stock/x")).status !== 200);
    });
  });
}

suite("at the end", () => {
  test("entries drain before readiness says so, and go when nothing is in flight, before services stop", async () => {
    using post = await signpost();
    const yaml = "plane: {}\nstore: { driver: memory }\nservices: { api: { entrypoint: ./api.ts } }";
    await using runtime = start({
      files: { "runtime.yaml": yaml, "api.ts": API },
      env: { TEST_URL: post.url },
    });
    await runtime.started();
    assert.deepEqual(await statesOf(runtime), ["api ready"]);
    const answered = runtime.get("/hold");
    const held = await post.asked("/hold");
    runtime.signal("SIGTERM");
    while ((await runtime.get("/health/ready")).status === 200);
    assert.deepEqual(await statesOf(runtime), ["api draining"]);
    const stopping = post.asked("/shutdown");
    assert.equal(await Promise.race([stopping, statesOf(runtime)]).then(String), "api draining");
    held.end("at last");
    assert.equal(await (await answered).text(), "at last");
    const shutdown = await stopping;
    assert.deepEqual(await statesOf(runtime), []);
    shutdown.end();
    assert.equal((await runtime.ended).code, 0);
  });

  test("who follows the registry sees each step", async () => {
    const yaml = "plane: {}\nstore: { driver: memory }\nservices: { api: { entrypoint: ./api.ts } }";
    await using runtime = start({ files: { "runtime.yaml": yaml, "api.ts": API } });
    await runtime.started();
    const stream = await ask(runtime, "/api/v1/registry/api", { headers: { accept: "text/event-stream" } });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value ?? "";
    while (!text.includes('"ready"')) text += (await reader.read()).value ?? "";
    runtime.signal("SIGTERM");
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += read.value;
    const states = [...text.matchAll(/"items":\[(?:\{.*?"state":"(\w+)".*?\})?\]/g)].map(
      ([, state]) => state,
    );
    assert.deepEqual(states, ["ready", "draining", undefined]);
    assert.equal((await runtime.ended).code, 0);
  });
});

test("a step of a saga is called by the name of its service, with its key, on a replica that takes it", async () => {
  const base = await portsOfReplicas();
  const yaml = `store: { driver: sqlite }
intents:
  order.place:
    saga: { steps: [{ name: reserve, execute: { url: "svc://stock/reserve" }, retry: { backoff: 1ms..1ms } }] }
services:
${stock(base, { replicas: 2 })}`;
  await using runtime = start({ files: { "runtime.yaml": yaml, "stock.cjs": STOCK } });
  await runtime.started();
  await Promise.all(["stock-1", "stock-2"].map((name) => runtime.record(name, "ready")));
  const url = `${await runtime.url()}/api/v1`;
  const post = async (path: string, body: object) =>
    (await (
      await fetch(url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      })
    ).json()) as Record<string, string>;
  const session = (await post("/sessions", { user: "ann" }))["id"];
  for (let order = 0; order < 2; order++) {
    const { id } = await post("/intents", { type: "order.place", session, payload: {} });
    const { state, saga } = (await (await fetch(`${url}/executions/${id}?wait=10s`)).json()) as {
      state: string;
      saga: { steps: { attempts: number; output: { key: string } }[] };
    };
    assert.equal(state, "completed");
    assert.equal(saga.steps[0]?.attempts, 1);
    assert.match(saga.steps[0]?.output.key ?? "", /./);
  }
  const { items } = (await (await fetch(`${url}/registry/saga_coordinator`)).json()) as {
    items: { intents: string[] }[];
  };
  assert.deepEqual(
    items.map(({ intents }) => intents),
    [["order.place"]],
  );
});

test("without a registry a module is told what to add, and a service cannot have the name of its part", async () => {
  const files = { "api.ts": API };
  await using runtime = start({
    files: { ...files, "runtime.yaml": "services: { api: { entrypoint: ./api.ts } }" },
  });
  await runtime.started();
  const said = await (await runtime.get("/call/api/hello")).text();
  assert.equal(
    said,
    "UsageError: cannot use fetch: no registry; add plane: {}, or discovery: {} in a config",
  );
  const taken = await haraka({
    files: { ...files, "runtime.yaml": "discovery: {}\nservices: { registry: { entrypoint: ./api.ts } }" },
  });
  assert.equal(taken.code, 2);
  assert.match(
    taken.stderr,
    /cannot run the service 'registry': with discovery that is a part of it; rename it/,
  );
});

test("a reload moves an entry with its service", async () => {
  const [one, other] = [await freePort(), await freePort()];
  const config = (port: number) => `plane: {}
store: { driver: memory }
services: { stock: { command: [sleep, "100"], port: ${port} }, rest: { command: [sleep, "100"] } }`;
  await using runtime = start({ files: { "runtime.yaml": config(one) } });
  await runtime.started();
  const ports = async () => {
    const { items } = (await (await ask(runtime, "/api/v1/registry")).json()) as {
      items: { port: number }[];
    };
    return items.map(({ port }) => port);
  };
  assert.deepEqual(await ports(), [one]);
  runtime.write("runtime.yaml", `${config(other)}\ndiscovery: { advertise: a }`);
  const refused = await ask(runtime, "/api/v1/runtime/reload", { method: "POST" });
  assert.match(await refused.text(), /discovery has changed, which needs a restart/);
  runtime.write("runtime.yaml", config(other));
  assert.equal((await ask(runtime, "/api/v1/runtime/reload", { method: "POST" })).status, 200);
  await runtime.until("/health/ready", 200);
  assert.deepEqual(await ports(), [other]);
});
