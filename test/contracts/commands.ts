// Real commands for tests: launchers of them, and probes that run them.
import process from "node:process";
import type { ProcessConfig } from "../../src/config/config.ts";
import { execProbe } from "../../src/drivers/exec-probe.ts";
import { processLauncher, type ProcessLauncherOptions } from "../../src/drivers/process-launcher.ts";
import type { Launcher } from "../../src/ports/launcher.ts";
import type { Probe } from "../../src/ports/probe.ts";

export interface CommandOptions {
  process?: Partial<ProcessConfig>;
  /** Called with what it writes. */
  write?: (chunk: Uint8Array) => void;
  notification?: NonNullable<ProcessLauncherOptions["notification"]>;
}

export function launcherOf(argv: readonly string[], options: CommandOptions = {}): Launcher {
  const { write = () => {}, notification } = options;
  return processLauncher({
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
