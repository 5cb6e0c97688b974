// A step is not sent to a service that has started and does not listen yet: executions wait until every service is ready.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "./support/ports.ts";
import { type Runtime, start } from "./support/runtime.ts";

interface Answered {
  id: string;
  state: string;
  saga: { steps: { attempts: number }[] };
}

async function post(runtime: Runtime, { path, body }: { path: string; body: unknown }): Promise<Answered> {
  const response = await fetch(`${await runtime.url()}/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${response.status} at ${path}`);
  return (await response.json()) as Answered;
}

test("what comes before every service is ready waits, spends no attempt, and runs then", async () => {
  const port = await freePort();
  const config = {
    store: { driver: "memory" },
    intents: {
      greet: { saga: { steps: [{ name: "say", execute: { url: `http://127.0.0.1:${port}/say` } }] } },
    },
    services: {
      late: { command: ["sleep", "60"], readiness: { exec: ["test", "-e", "go"], interval: "20ms" } },
    },
  };
  await using runtime = start({ files: { "runtime.yaml": JSON.stringify(config) } });
  await runtime.started();
  const { id: session } = await post(runtime, { path: "/sessions", body: { user: "ada" } });
  const { id } = await post(runtime, { path: "/intents", body: { type: "greet", session, payload: {} } });
  const server = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => Response.json({ said: "hello" }) });
  try {
    const waiting = (await (await runtime.get(`/api/v1/executions/${id}`)).json()) as Answered;
    assert.equal(waiting.state, "pending");
    await Bun.write(`${runtime.folder}/go`, "");
    const done = (await (await runtime.get(`/api/v1/executions/${id}?wait=10s`)).json()) as Answered;
    assert.equal(done.state, "completed");
    assert.equal(done.saga.steps[0]?.attempts, 1);
  } finally {
    await server.stop(true);
  }
});
