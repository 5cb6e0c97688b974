// What the runtime tells whoever started it by NOTIFY_SOCKET, in order and once. A real socket; on Node there is none.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { manager } from "../../src/compose/manager.ts";
import { openSocketCalls } from "../../src/compose/socket-calls.ts";
import { systemClock } from "../../src/drivers/clock.ts";
import { notifySockets } from "../../src/drivers/linux/notify-socket.ts";
import type { Notice } from "../../src/ports/probe.ts";
import type { RuntimeEvent } from "../../src/ports/runtime-event.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";

const hasFfi = typeof Bun !== "undefined" || "Deno" in globalThis;

test("a manager hears once that it is ready, and once that it stops", { skip: !hasFfi }, async () => {
  const heard: Notice["type"][] = [];
  const socket = notifySockets({ openCalls: openSocketCalls, onUnable: assert.fail }).open({
    speaker: {},
    tell: ({ type }) => void heard.push(type),
  });
  process.env["NOTIFY_SOCKET"] = socket.address;
  let tell: ((event: RuntimeEvent) => void) | undefined;
  const clock = systemClock();
  const supervisor = new Supervisor({
    clock,
    emit: (event) => tell?.(event),
    startup: { timeoutMs: 60_000, concurrency: Infinity, onFailure: "rollback" },
    shutdown: { budgetMs: 10_000, drainMs: 0 },
    kubernetes: false,
  });
  tell = manager({ supervisor, clock });
  assert.equal(process.env["NOTIFY_SOCKET"], undefined);
  await supervisor.run([]);
  await supervisor.shutdown();
  socket.close();
  assert.deepEqual(
    heard.filter((type) => type !== "status"),
    ["ready", "stopping"],
  );
});
