// Two runtimes whose registry is one, in Redis: each finds what the other has, passes over what leaves there, and forgets within its time what
// was killed; and Traefik, whichever it asks, hears of both.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import process from "node:process";
import { after, before, test } from "node:test";
import { planeAt } from "../e2e/support/plane.ts";
import { freePort } from "../e2e/support/ports.ts";
import { isRunning, type Runtime, start } from "../e2e/support/runtime.ts";
import { RedisServer } from "./server.ts";

const TTL_MS = 3_000;
/** For machines that others use, too. */
const SLACK_MS = 10_000;
const TIMEOUT = { timeout: 60_000 };

const WEB = `
import { Service } from "haraka-runtime";
export default class extends Service {
  routes(app) {
    app.get("/hold", async (c) => c.text(await (await fetch(process.env.TEST_URL)).text()));
    app.all("/call", async (c) => {
      const response = await this.runtime.fetch("svc://stock/", { method: c.req.method });
      return c.text(await response.text(), response.status);
    });
  }
}`;

/** A process at a port of its own; where it leaves, it takes nothing any more. */
const STOCK = `
require("node:http").createServer((request, response) => {
  if (process.argv[3] === "leaves") return void response.writeHead(503, { connection: "close" }).end("leaving");
  response.end("here");
}).listen(Number(process.argv[2]), "127.0.0.1");
`;

let server: RedisServer;
before(async () => {
  server = await RedisServer.start();
});
after(() => server[Symbol.asyncDispose]());

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

let namespaces = 0;

type Env = Record<string, string>;

/** `more`: further services. */
function two({ more = "", env = [{}, {}] }: { more?: string; env?: readonly [Env, Env] } = {}) {
  const yaml = `
store: { driver: redis, url: "${server.url}", namespace: n${++namespaces} }
runtime: { name: shop, shutdown: { drain: 0s } }
http: { host: 127.0.0.1, port: 0 }
discovery: { traefik: {}, advertise: 127.0.0.1, registry: { ttl: ${TTL_MS}ms, heartbeat: 500ms } }
services:
  web: { entrypoint: ./web.ts, routes: [{ rule: "Host(\`shop.example\`)" }] }
${more}`;
  const files = { "runtime.yaml": yaml, "web.ts": WEB, "stock.cjs": STOCK };
  return [start({ files, env: env[0] }), start({ files, env: env[1] })] as const;
}

const portOf = async (runtime: Runtime): Promise<number> => Number(new URL(await runtime.url()).port);

interface Entry {
  port: number;
  state: string;
}

interface Watching {
  /** Default: `web`. */
  service?: string;
  isEnough: (entries: Entry[]) => boolean;
  onSeen?: (entries: Entry[]) => void;
}

/** The list of a service as the runtime tells it, at each of its changes. */
async function watched(
  runtime: Runtime,
  { service = "web", isEnough, onSeen = () => {} }: Watching,
): Promise<Entry[][]> {
  const seen: Entry[][] = [];
  for await (const { data } of planeAt(await runtime.url()).events(`/registry/${service}`)) {
    const items = (data.items as Entry[]).map(({ port, state }) => ({ port, state }));
    seen.push(items);
    onSeen(items);
    if (isEnough(items)) break;
  }
  return seen;
}

async function untilBothKnow(runtimes: readonly Runtime[], service = "web"): Promise<void> {
  const isEnough = (entries: Entry[]): boolean =>
    entries.length === 2 && entries.every(({ state }) => state === "ready");
  await Promise.all(runtimes.map((each) => watched(each, { service, isEnough })));
}

test(
  "what was killed is gone from the other's registry, and from what Traefik is told, within its time",
  TIMEOUT,
  async (t) => {
    const [dead, alive] = two();
    await using _dead = dead;
    await using _alive = alive;
    await Promise.all([dead.started(), alive.started()]);
    await untilBothKnow([dead, alive]);
    const urls = await Promise.all(
      [dead, alive].map(async (each) => `http://127.0.0.1:${await portOf(each)}`),
    );
    for (const each of [dead, alive]) {
      const document = await (await each.get("/traefik")).text();
      for (const url of urls) assert.ok(document.includes(`"${url}"`), `${url} is missing in ${document}`);
    }
    const kill = Promise.withResolvers<void>();
    const gone = watched(alive, {
      isEnough: (entries) => entries.length === 1,
      onSeen: () => kill.resolve(),
    });
    await kill.promise;
    dead.signal("SIGKILL");
    await dead.ended;
    const killedMs = performance.now();
    const seen = await gone;
    const tookMs = performance.now() - killedMs;
    assert.deepEqual(seen.at(-1), [{ port: await portOf(alive), state: "ready" }]);
    t.diagnostic(`gone after ${Math.round(tookMs)} ms`);
    assert.ok(tookMs <= TTL_MS + SLACK_MS, `it was there for ${tookMs} ms`);
    const document = await (await alive.get("/traefik")).text();
    assert.ok(!document.includes(`"${urls[0]}"`) && document.includes(`"${urls[1]}"`), document);
  },
);

test(
  "one that is stopped drains for the other to see, and is gone once what was in flight is answered",
  TIMEOUT,
  async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    const outside = createServer((_, response) => asked.resolve(response)).listen(0, "127.0.0.1");
    await once(outside, "listening");
    const url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
    const [leaving, staying] = two({ env: [{ TEST_URL: url }, {}] });
    await using _leaving = leaving;
    await using _staying = staying;
    await Promise.all([leaving.started(), staying.started()]);
    await untilBothKnow([leaving, staying]);
    const port = await portOf(leaving);
    const answered = leaving.get("/hold");
    const held = await asked.promise;
    const steps: string[] = [];
    const following = watched(staying, {
      isEnough: (entries) => entries.length === 1,
      onSeen: (entries) => {
        const step = entries.find((entry) => entry.port === port)?.state ?? "gone";
        if (step !== steps.at(-1)) steps.push(step);
        if (step === "ready") leaving.signal("SIGTERM");
        if (step === "draining") {
          // Only now: it stays there as long as this takes.
          steps.push("answered");
          held.end("at last");
        }
      },
    });
    assert.equal(await (await answered).text(), "at last");
    await following;
    assert.deepEqual(steps, ["ready", "draining", "answered", "gone"]);
    assert.equal((await leaving.ended).code, 0);
    outside.closeAllConnections();
    outside.close();
  },
);

test(
  "a call that may be made twice passes over an instance that leaves, or is dead, at the other runtime",
  TIMEOUT,
  async () => {
    const more = `  stock:
    command: [${process.execPath}, stock.cjs, "\${STOCK_PORT}", "\${STOCK_WORD}"]
    port: "\${STOCK_PORT}"
    readiness: { tcp: "127.0.0.1:\${STOCK_PORT}" }
`;
    const env = async (word: string) => ({ STOCK_PORT: String(await freePort()), STOCK_WORD: word });
    const leaves = await env("leaves");
    const [leaving, staying] = two({ more, env: [leaves, await env("stays")] });
    await using _leaving = leaving;
    await using _staying = staying;
    await Promise.all([leaving, staying].map((each) => each.started()));
    await untilBothKnow([leaving, staying], "stock");
    const asked = async (from: Runtime, method: string) => {
      const all: number[] = [];
      for (let call = 0; call < 4; call++)
        all.push((await fetch(`${await from.url()}/call`, { method, keepalive: false })).status);
      return all.toSorted((one, other) => one - other);
    };
    for (const from of [leaving, staying]) {
      assert.deepEqual(await asked(from, "GET"), [200, 200, 200, 200]);
      assert.deepEqual(await asked(from, "PUT"), [200, 200, 200, 200]);
      assert.deepEqual(await asked(from, "POST"), [200, 200, 503, 503]);
    }
    // Its entry is there still; nothing listens where it leads, so a POST has certainly not arrived.
    const { pid = 0 } = await leaving.record("stock", "ready");
    leaving.signal("SIGSTOP");
    process.kill(pid, "SIGKILL");
    while (isRunning(pid));
    // A process of several threads may have ended before the last of them has let go of the port.
    while (await isOpen(Number(leaves.STOCK_PORT)));
    leaving.signal("SIGKILL");
    await leaving.ended;
    assert.deepEqual(await asked(staying, "POST"), [200, 200, 200, 200]);
  },
);
