// Real commands for tests: launchers of them, and probes that run them.
import process from "node:process";
import type { ProcessConfig } from "../../src/config/config.ts";
import { execProbe } from "../../src/drivers/exec-probe.ts";
import { pipes } from "../../src/drivers/libc-bun.ts";
import { processLauncher, type ProcessLauncherOptions } from "../../src/drivers/process/launcher.ts";
import { spawnWith } from "../../src/drivers/spawn-bun.ts";
import { spawn as spawnByNode } from "../../src/drivers/spawn-node.ts";
import type { Launcher } from "../../src/ports/launcher.ts";
import type { Probe } from "../../src/ports/probe.ts";
import type { Spawn } from "../../src/ports/spawn.ts";

export interface CommandOptions {
  process?: Partial<ProcessConfig>;
  /** Called with what it writes. */
  write?: (chunk: Uint8Array) => void;
  notification?: NonNullable<ProcessLauncherOptions["notification"]>;
  /** Default: what the runtime itself would take. */
  spawn?: Spawn;
}

/** As the runtime itself does it under Bun. */
export const spawnByBun = spawnWith(pipes());

const DEFAULT = typeof Bun === "undefined" ? spawnByNode : spawnByBun;

export function launcherOf(argv: readonly string[], options: CommandOptions = {}): Launcher {
  const { write = () => {}, notification, spawn = DEFAULT } = options;
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
      ...options.process,
    },
    environment: { PATH: process.env["PATH"] },
    lookUpIds: () => ({}),
    output: () => ({
      write(chunk) {
        write(chunk);
        return undefined;
      },
      end() {},
    }),
    ...(notification && { notification }),
  });
}

/** A probe of this command. */
export function execOf(argv: readonly string[], options: CommandOptions["process"] = {}): Probe {
  return execProbe({
    command: argv[0] ?? "",
    launcher: (write) => launcherOf(argv, { write, process: options }),
  });
}
