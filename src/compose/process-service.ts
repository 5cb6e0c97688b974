// A process service made whole: its launcher, its output on its way to the log, and its probes, those that read the log included.
import type { ProbeConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { httpProbe } from "../drivers/http-probe.ts";
import { logProbe } from "../drivers/log-probe.ts";
import { processLauncher } from "../drivers/process-launcher.ts";
import { spawn as spawnByBun } from "../drivers/spawn-bun.ts";
import { spawn as spawnByNode } from "../drivers/spawn-node.ts";
import { tcpProbe } from "../drivers/tcp-probe.ts";
import { lookUpIds } from "../drivers/users.ts";
import type { Output } from "../ports/log.ts";
import type { Probe } from "../ports/probe.ts";
import type { WatchedProbe } from "../runtime/prober.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import { type LineReader, lineSink } from "./line-sink.ts";

export interface ProcessContext {
  output: Output;
  /** What every process starts with; its own environment is added. */
  env: Readonly<Record<string, string | undefined>>;
}

/** The probes of a service of either kind, and who among them wants to see its lines. */
export function probesOf(
  service: ServiceConfig,
): Pick<SupervisedService, "startup" | "readiness"> & { readers: LineReader[] } {
  const readers: LineReader[] = [];
  const watched = (config: ProbeConfig): WatchedProbe => ({
    probe: probeOf(config, readers),
    schedule: config,
  });
  const { startup, readiness } = service;
  return {
    ...(startup && { startup: watched(startup) }),
    ...(readiness && readiness !== "manual" && { readiness: watched(readiness) }),
    readers,
  };
}

function probeOf(config: ProbeConfig, readers: LineReader[]): Probe {
  switch (config.type) {
    case "http":
      return httpProbe(config);
    case "tcp":
      return tcpProbe(config);
    case "log":
    case "logPattern": {
      const probe = logProbe(config.type === "log" ? { text: config.text } : { pattern: config.pattern });
      readers.push(probe);
      return probe;
    }
    default:
      return config satisfies never;
  }
}

export function processService(
  service: ServiceConfig & { run: ProcessConfig },
  spec: ServiceSpec,
  { output, env }: ProcessContext,
): SupervisedService {
  const { readers, ...probes } = probesOf(service);
  const launcher = processLauncher({
    process: service.run,
    environment: env,
    spawn: typeof Bun === "undefined" ? spawnByNode : spawnByBun,
    lookUpIds,
    output: (stream) => lineSink(stream, { name: service.name, output, readers }),
  });
  return {
    spec,
    ...probes,
    launcher: {
      launch(incarnation, report) {
        for (const reader of readers) reader.reset();
        return launcher.launch(incarnation, report);
      },
    },
  };
}
