// What every launcher owes its caller, run against real processes and real modules.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { moduleLauncher } from "../../src/drivers/module-launcher.ts";
import { processLauncher } from "../../src/drivers/process/launcher.ts";
import { spawn as spawnByNode } from "../../src/drivers/spawn-node.ts";
import type { Launcher } from "../../src/ports/launcher.ts";
import type { Spawn } from "../../src/ports/spawn.ts";
import type { ServiceLike } from "../../src/ports/service.ts";
import { spawnByBun } from "./commands.ts";
import { record } from "./outcomes.ts";

interface Rig {
  /** Comes up and ends when asked. */
  steady(): Launcher;
  /** Comes up, says so, and does not end when asked. */
  stubborn(up: () => void): Launcher;
  /** Ends by itself, as a task does. */
  brief(): Launcher;
  /** Cannot come up. */
  broken(): Launcher;
}

const rigs: Record<string, Rig> = {
  "processLauncher by Bun": rigOf(spawnByBun),
  "processLauncher by node:child_process": rigOf(spawnByNode),
  moduleLauncher: {
    steady: () => ofService({ startup() {} }),
    stubborn: (up) => ofService({ startup: up, shutdown: () => new Promise(() => {}) }),
    brief: () => ofService({ startup() {} }, true),
    broken: () => ofService({ startup: () => Promise.reject(new Error("no")) }),
  },
};

function rigOf(spawn: Spawn): Rig {
  const ofCommand = (argv: string[], onOutput = () => {}) => commandLauncher(argv, { spawn, onOutput });
  return {
    steady: () => ofCommand(["sleep", "60"]),
    stubborn: (up) => ofCommand(["sh", join(import.meta.dirname, "../fixtures/ignore-term.sh")], up),
    brief: () => ofCommand(["true"]),
    broken: () => ofCommand(["no-such-command"]),
  };
}

function commandLauncher(
  argv: string[],
  { spawn, onOutput }: { spawn: Spawn; onOutput: () => void },
): Launcher {
  return processLauncher({
    spawn,
    process: {
      type: "process",
      argv,
      cwd: "/",
      environment: {},
      stdin: "null",
      stopSignal: "SIGTERM",
      forwardSignals: [],
    },
    environment: process.env,
    lookUpIds: () => ({}),
    output: () => ({
      write() {
        onOutput();
        return undefined;
      },
      end() {},
    }),
  });
}

function ofService(service: ServiceLike, task = false): Launcher {
  return moduleLauncher({ load: () => service, task, onInstance() {} });
}

for (const [name, rig] of Object.entries(rigs)) {
  describe(name, () => {
    test("launch reports launched, then exited once it is stopped", async () => {
      const { running, outcomes, first, end } = record(rig.steady());
      assert.equal((await first).type, "launched");
      running.stop();
      assert.equal((await end).type, "exited");
      assert.equal(outcomes.length, 2);
    });

    test("stop works right after launch", async () => {
      const { running, end } = record(rig.steady());
      running.stop();
      assert.equal((await end).type, "exited");
    });

    test("kill ends what stop does not, with one final outcome", async () => {
      const up = Promise.withResolvers<void>();
      const { running, outcomes, end } = record(rig.stubborn(up.resolve));
      await up.promise;
      running.stop();
      running.stop();
      running.kill();
      assert.equal((await end).type, "exited");
      assert.equal(outcomes.filter(({ type }) => type !== "launched").length, 1);
    });

    test("kill works right after launch", async () => {
      const { running, end } = record(rig.steady());
      running.kill();
      assert.equal((await end).type, "exited");
    });

    test("launch of what ends by itself reports exited with code 0", async () => {
      const { end } = record(rig.brief());
      const outcome = await end;
      assert.equal(outcome.type === "exited" && outcome.code, 0);
    });

    test("launch of what cannot come up reports failed and nothing else", async () => {
      const { outcomes, end } = record(rig.broken());
      assert.equal((await end).type, "failed");
      assert.equal(outcomes.length, 1);
    });

    test("stop and kill after the end do nothing, and the next incarnation is its own", async () => {
      const launcher = rig.steady();
      const one = record(launcher, 1);
      await one.first;
      one.running.stop();
      await one.end;
      const reported = one.outcomes.length;
      const two = record(launcher, 2);
      await two.first;
      one.running.stop();
      one.running.kill();
      assert.equal(two.outcomes.length, 1);
      two.running.stop();
      assert.equal((await two.end).type, "exited");
      assert.equal(one.outcomes.length, reported);
    });
  });
}
