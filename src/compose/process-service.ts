// A process service made whole: its launcher, its output on its way to the log, and its probes, those that read the log included.
import type { ProbeConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import type { ServiceSpec } from "../core/spec.ts";
import type { Descendants } from "../drivers/descendants.ts";
import { httpProbe } from "../drivers/http-probe.ts";
import { lineSplitter } from "../drivers/line-splitter.ts";
import { logProbe } from "../drivers/log-probe.ts";
import { type ByteSink, processLauncher } from "../drivers/process-launcher.ts";
import { tcpProbe } from "../drivers/tcp-probe.ts";
import { lookUpIds } from "../drivers/users.ts";
import type { Output } from "../ports/log.ts";
import type { Probe } from "../ports/probe.ts";
import type { WatchedProbe } from "../runtime/prober.ts";
import type { SupervisedService } from "../runtime/effects.ts";

export interface ProcessContext {
  output: Output;
  /** What every process starts with; its own environment is added. */
  env: Readonly<Record<string, string | undefined>>;
  /** Finds what they leave behind. */
  descendants?: Descendants | undefined;
}

/** Reads the lines of one service. */
interface LineReader {
  observe(line: string): void;
  /** A new incarnation begins. */
  reset(): void;
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
  { output, env, descendants }: ProcessContext,
): SupervisedService {
  const { readers, ...probes } = probesOf(service);
  const launcher = processLauncher({
    process: service.run,
    environment: env,
    lookUpIds,
    output: (stream) => lineSink(stream, { name: service.name, output, readers }),
    ...(descendants && { family: (incarnation) => descendants.of(service.name, incarnation) }),
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

function lineSink(
  stream: "stdout" | "stderr",
  { name, output, readers }: { name: string; output: Output; readers: readonly LineReader[] },
): ByteSink {
  let full = false;
  const splitter = lineSplitter((text, part) => {
    full = !output.line({ service: name, stream, text, ...(part !== undefined && { part }) });
    for (const reader of readers) reader.observe(text);
  });
  return {
    write(chunk) {
      splitter.push(chunk);
      return full ? output.drained() : undefined;
    },
    end: () => splitter.end(),
  };
}
