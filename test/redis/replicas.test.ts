// Two runtimes with one plane in Redis, as a cluster runs them: what either takes, either carries out, and when one is killed the other
// goes on with what it left, each call with the key it had.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Runtime, start } from "../e2e/support/runtime.ts";
import { RedisServer } from "./server.ts";

const LEASE_MS = 2_000;
const EXECUTIONS = 12;

/** Carries out steps: at once, but for those that hang until they are let go. */
class Shop implements AsyncDisposable {
  readonly calls: { path: string; key: string }[] = [];
  readonly #server = createServer((request, response) => {
    this.calls.push({ path: request.url ?? "", key: keyIn(request.headers) });
    for (const look of this.#waiting) look();
    if (request.url !== "/slow" || this.isFast) response.end("{}");
  });
  readonly #waiting = new Set<() => void>();
  isFast = false;

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  keysOf(path: string): Set<string> {
    return new Set(this.calls.filter((call) => call.path === path).map(({ key }) => key));
  }

  async until(isSo: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isSo()) resolve();
    };
    this.#waiting.add(look);
    look();
    await promise;
    this.#waiting.delete(look);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const keyIn = (headers: IncomingHttpHeaders): string => String(headers["idempotency-key"]);

interface Answer {
  id: string;
  state: string;
}

async function post(runtime: Runtime, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${await runtime.url()}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, await response.clone().text());
  return (await response.json()) as Answer;
}

async function settled(runtime: Runtime, id: string): Promise<Answer> {
  return (await (await runtime.get(`/api/v1/executions/${id}?wait=15s`)).json()) as Answer;
}

test(
  "a replica that is killed: the other goes on with what it left, within its lease and a second",
  { timeout: 60_000 },
  async () => {
    await using server = await RedisServer.start();
    await using shop = new Shop();
    const url = await shop.listen();
    const files = {
      "runtime.yaml": `
store: { driver: redis, url: "${server.url}", namespace: shop, lease: { ttl: ${LEASE_MS}ms } }
http: { port: 0 }
intents:
  order:
    saga:
      steps:
        - { name: fast, execute: { url: "${url}/fast" } }
        - { name: slow, execute: { url: "${url}/slow" }, timeout: 30s }
        - { name: last, execute: { url: "${url}/last" } }
services: { idle: { command: [sleep, "1000"] } }
`,
    };
    await using one = start({ files });
    await using two = start({ files });
    await Promise.all([one.started(), two.started()]);
    const { id: session } = await post(one, "/sessions", { user: "u" });
    const submitted = await Promise.all(
      Array.from({ length: EXECUTIONS }, (_, index) =>
        post(index % 3 === 0 ? two : one, "/intents", { type: "order", session, payload: {} }),
      ),
    );
    await shop.until(() => shop.keysOf("/slow").size === EXECUTIONS);
    shop.isFast = true;
    const calledBefore = shop.calls.length;
    one.signal("SIGKILL");
    const killedMs = performance.now();
    // Two thirds were its own: they are called again, with the keys they had.
    await shop.until(
      () => shop.calls.slice(calledBefore).filter(({ path }) => path === "/slow").length === 8,
    );
    const tookMs = performance.now() - killedMs;
    assert.ok(tookMs > LEASE_MS / 3, "it was followed while it may have lived");
    assert.equal(shop.keysOf("/slow").size, EXECUTIONS);
    for (const { id } of submitted.filter((_, index) => index % 3 !== 0))
      assert.equal((await settled(two, id)).state, "completed");
    assert.equal(shop.keysOf("/last").size, 8);
    await two.stop();
  },
);

test("a replica that is stopped hands over at once", { timeout: 60_000 }, async () => {
  await using server = await RedisServer.start();
  const files = {
    "runtime.yaml": `
store: { driver: redis, url: "${server.url}", namespace: shop, lease: { ttl: 60s } }
http: { port: 0 }
runtime: { shutdown: { drain: 0s } }
intents: { wait: { saga: { steps: [{ name: go, signal: go }] } } }
services: { idle: { command: [sleep, "1000"] } }
`,
  };
  await using one = start({ files });
  await using two = start({ files });
  await Promise.all([one.started(), two.started()]);
  const { id: session } = await post(one, "/sessions", { user: "u" });
  const { id } = await post(one, "/intents", { type: "wait", session, payload: {} });
  assert.equal((await one.stop()).code, 0);
  await post(two, `/executions/${id}/signal`, { name: "go" });
  assert.equal((await settled(two, id)).state, "completed");
  await two.stop();
});

test(
  "an order at one replica reaches what another runs, also when that one stands still",
  { timeout: 60_000 },
  async () => {
    await using server = await RedisServer.start();
    const files = {
      "runtime.yaml": `
store: { driver: redis, url: "${server.url}", namespace: shop, lease: { ttl: ${LEASE_MS}ms } }
http: { port: 0 }
intents: { wait: { saga: { steps: [{ name: go, signal: go }, { name: on, signal: on }] } } }
services: { idle: { command: [sleep, "1000"] } }
`,
    };
    await using one = start({ files });
    await using two = start({ files });
    await Promise.all([one.started(), two.started()]);
    const { id: session } = await post(one, "/sessions", { user: "u" });
    const { id } = await post(one, "/intents", { type: "wait", session, payload: {} });
    await post(two, `/executions/${id}/signal`, { name: "go" });
    one.signal("SIGSTOP");
    await post(two, `/executions/${id}/signal`, { name: "on" });
    assert.equal((await settled(two, id)).state, "completed");
    one.signal("SIGCONT");
    const again = await fetch(`${await one.url()}/api/v1/executions/${id}/cancel`, { method: "POST" });
    assert.equal(again.status, 409);
    assert.match(((await again.json()) as { detail: string }).detail, /it is completed/);
  },
);
