// What every probe owes its caller, run against real servers on loopback and real commands.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { httpProbe } from "../../src/drivers/http-probe.ts";
import { logProbe } from "../../src/drivers/log-probe.ts";
import { notifyProbe, watchdogProbe } from "../../src/drivers/notify-probe.ts";
import { tcpProbe } from "../../src/drivers/tcp-probe.ts";
import type { Probe } from "../../src/ports/probe.ts";
import { execOf } from "./commands.ts";

let server: Server;
let port = 0;
/** A port nobody listens on. */
let deadPort = 0;
const listening = (each: { once(event: "listening", run: () => void): unknown }) =>
  new Promise<void>((resolve) => each.once("listening", resolve));

before(async () => {
  server = createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
  await listening(server);
  port = (server.address() as AddressInfo).port;
  const dead = createTcpServer().listen(0, "127.0.0.1");
  await listening(dead);
  deadPort = (dead.address() as AddressInfo).port;
  await new Promise((closed) => dead.close(closed));
});
after(() => server.close());

interface Rig {
  passing(): Probe;
  /** Fails by itself, with this reason; a probe that only waits has none. */
  failing?: () => [Probe, reason: string];
}

const rigs: Record<string, Rig> = {
  httpProbe: {
    passing: () => httpProbe({ url: `http://127.0.0.1:${port}/` }),
    failing: () => [
      httpProbe({ url: `http://127.0.0.1:${deadPort}/` }),
      `http://127.0.0.1:${deadPort}/: connection refused`,
    ],
  },
  tcpProbe: {
    passing: () => tcpProbe({ host: "127.0.0.1", port }),
    failing: () => [
      tcpProbe({ host: "127.0.0.1", port: deadPort }),
      `127.0.0.1:${deadPort}: connection refused`,
    ],
  },
  logProbe: {
    passing() {
      const probe = logProbe({ text: "up" });
      probe.observe("now up");
      return probe;
    },
  },
  execProbe: {
    passing: () => execOf(["true"]),
    failing: () => [execOf(["sh", "-c", "echo no answer; exit 2"]), '"sh" ended with 2: no answer'],
  },
  notifyProbe: {
    passing() {
      const probe = notifyProbe({ once: false });
      probe.hear({ type: "ready" });
      return probe;
    },
  },
  watchdogProbe: {
    passing: () => watchdogProbe({ periodMs: 60_000 }),
    failing() {
      const probe = watchdogProbe({ periodMs: 60_000 });
      probe.hear({ type: "trigger" });
      return [probe, "it asked for a restart (WATCHDOG=trigger)"];
    },
  },
};

const never = new AbortController().signal;

for (const [name, rig] of Object.entries(rigs)) {
  describe(name, () => {
    test("check passes, again and again, several at a time", async () => {
      const probe = rig.passing();
      assert.deepEqual(await probe.check(never), { ok: true });
      const checks = await Promise.all(Array.from({ length: 20 }, () => probe.check(never)));
      assert.ok(checks.every(({ ok }) => ok));
    });

    if (rig.failing !== undefined) {
      const { failing } = rig;
      test("check that fails says of whom and why", async () => {
        const [probe, reason] = failing();
        const result = await probe.check(never);
        assert.equal(result.ok, false);
        assert.equal(!result.ok && result.reason, reason);
      });

      test("check that was aborted before it began fails", async () => {
        assert.equal((await rig.passing().check(AbortSignal.abort())).ok, false);
      });
    }
  });
}
