// A process service made whole: its launcher, its output on its way to the log, and its probes, those that read the log and those
// that hear what it says of itself included.
import type { ProbeConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import type { ServiceSpec } from "../core/spec.ts";
import type { Descendants, Family } from "../drivers/linux/descendants.ts";
import { execProbe } from "../drivers/exec-probe.ts";
import { httpProbe } from "../drivers/http-probe.ts";
import { pipes } from "../drivers/libc-bun.ts";
import { logProbe } from "../drivers/log-probe.ts";
import { newlineSink, notifyProbe, watchdogProbe } from "../drivers/notify-probe.ts";
import {
  notifySockets,
  type NotifySockets,
  type Speaker,
  withoutNotify,
} from "../drivers/linux/notify-socket.ts";
import { launchProblem } from "../drivers/process/launch-problem.ts";
import { processLauncher } from "../drivers/process/launcher.ts";
import { spawnWith } from "../drivers/spawn-bun.ts";
import { spawn as spawnByNode } from "../drivers/spawn-node.ts";
import { tcpProbe } from "../drivers/tcp-probe.ts";
import { lookUpIds } from "../drivers/process/users.ts";
import type { Launcher, LaunchOutcome, Running } from "../ports/launcher.ts";
import type { Log, Outlet } from "../ports/log.ts";
import type { Notice, Probe } from "../ports/probe.ts";
import type { ByteSink } from "../ports/spawn.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import { openSocketCalls } from "./socket-calls.ts";
import { type LineReader, lineSink } from "./line-sink.ts";

const spawn = typeof Bun === "undefined" ? spawnByNode : spawnWith(pipes());

/** What all processes share. */
export interface ProcessContext extends Outlet {
  /** What every process starts with; its own environment is added. */
  env: Readonly<Record<string, string | undefined>>;
  /** Where services say by sd_notify that they are ready. */
  sockets: NotifySockets;
  /** Finds what they leave behind. */
  descendants?: Descendants;
  /** With what a service reaches the plane, made anew at each launch; absent: there is none. */
  credentials?: (service: string, tenant: string | undefined) => Record<string, string>;
}

/** Where services say how they are, for all services of a run. */
export function processSockets(log: Log): NotifySockets {
  return notifySockets({ openCalls: openSocketCalls, onUnable: (reason) => log.warn(reason) });
}

/** What was given to this process to notify with is not handed on. */
export function processContext({
  env,
  sockets,
  ...rest
}: Omit<ProcessContext, "sockets"> & { sockets?: NotifySockets }): ProcessContext {
  return { ...rest, env: withoutNotify(env), sockets: sockets ?? processSockets(rest.log) };
}

/** Hears what one service says of itself. */
interface Listener {
  hear(notice: Notice): void;
  reset(): void;
}

/** Who among the probes of a service wants to know what of it. */
interface Audience {
  lines: LineReader[];
  /** What is said on its notification descriptor. */
  descriptor: Listener[];
  /** What is said by sd_notify. */
  socket: Listener[];
}

type ProbeKind = "startup" | "liveness" | "readiness";
type Probes = Pick<SupervisedService, ProbeKind>;

/** The probes of a service of either kind. */
export function probesOf(service: ServiceConfig, context: ProcessContext): Probes & { audience: Audience } {
  const audience: Audience = { lines: [], descriptor: [], socket: [] };
  const probes: Probes = {};
  for (const kind of ["startup", "liveness", "readiness"] as const) {
    const config = service[kind];
    if (config === undefined || config === "manual") continue;
    probes[kind] = { probe: probeOf(config, { kind, service, context, audience }), schedule: config };
  }
  return { ...probes, audience };
}

interface ProbeScope {
  kind: ProbeKind;
  service: ServiceConfig;
  context: ProcessContext;
  audience: Audience;
}

function probeOf(config: ProbeConfig, scope: ProbeScope): Probe {
  switch (config.type) {
    case "http":
      return httpProbe(config);
    case "tcp":
      return tcpProbe(config);
    case "exec":
      return execProbeOf(config.argv, scope);
    case "notify":
      return notifyProbeOf(config, scope);
    case "log":
    case "logPattern": {
      const probe = logProbe(config.type === "log" ? { text: config.text } : { pattern: config.pattern });
      scope.audience.lines.push(probe);
      return probe;
    }
    default:
      return config satisfies never;
  }
}

/**
 * The command runs where and as whom the service does; of what it writes nothing reaches the log, and of what it starts nothing
 * outlives it.
 */
function execProbeOf(argv: readonly string[], { kind, service, context }: ProbeScope): Probe {
  const { run } = service;
  const { env, descendants } = context;
  let runs = 0;
  const family = descendants && (() => endingWithIt(descendants.of(`${service.name}/${kind}`, ++runs)));
  const command: ProcessConfig = {
    type: "process",
    argv,
    cwd: run.type === "process" ? run.cwd : process.cwd(),
    environment: run.type === "process" ? run.environment : {},
    ...(run.type === "process" && run.user !== undefined && { user: run.user }),
    ...(run.type === "process" && run.group !== undefined && { group: run.group }),
    stdin: "null",
    stopSignal: "SIGKILL",
    forwardSignals: [],
  };
  return execProbe({
    command: argv[0] ?? "",
    launcher(write) {
      const sink: ByteSink = {
        write(chunk) {
          write(chunk);
          return undefined;
        },
        end() {},
      };
      return processLauncher({
        process: command,
        environment: env,
        spawn,
        lookUpIds,
        output: () => sink,
        ...(family && { family }),
      });
    },
  });
}

/** When it exits, even by itself, all that is left of it is killed. */
function endingWithIt(family: Family): Omit<Family, "leave"> & { leave: Family["end"] } {
  return {
    ...family,
    leave() {
      family.kill();
      return family.end();
    },
  };
}

/** As liveness a watchdog, which only sd_notify can feed; otherwise the service's word that it is ready, in its way to give it. */
function notifyProbeOf(config: ProbeConfig, { kind, service: { run }, audience }: ProbeScope): Probe {
  if (kind === "liveness") {
    const probe = watchdogProbe({ periodMs: config.intervalMs });
    audience.socket.push(probe);
    return probe;
  }
  const byDescriptor = run.type === "process" && run.notificationFd !== undefined;
  const probe = notifyProbe({ once: byDescriptor });
  (byDescriptor ? audience.descriptor : audience.socket).push(probe);
  return probe;
}

type ProcessService = ServiceConfig & { run: ProcessConfig };

/** Why its command would not start with this environment to add to, as far as can be told without trying. */
export function startProblem({ run }: ProcessService, env: ProcessContext["env"]): string | undefined {
  return launchProblem({ process: run, environment: env, lookUpIds });
}

export function processService(
  service: ProcessService,
  spec: ServiceSpec,
  context: ProcessContext,
): SupervisedService {
  const { descendants, credentials } = context;
  const { audience, ...probes } = probesOf(service, context);
  if (audience.socket.length > 0) audience.socket.push(statusLog(service.name, context.log));
  const all = Object.values(audience).flat();
  let latest = 0;
  /** Only the latest incarnation is listened to: what one has left behind may still hold its descriptor. */
  const listen =
    (listeners: readonly Listener[], incarnation = latest) =>
    (notice: Notice): void => {
      if (incarnation === latest) for (const listener of listeners) listener.hear(notice);
    };
  const options: LauncherOptions = {
    process: service.run,
    environment: context.env,
    spawn,
    lookUpIds,
    output: (stream) =>
      lineSink(stream, { name: service.name, output: context.output, readers: audience.lines }),
    notification: () => newlineSink(listen(audience.descriptor)),
    ...(descendants && { family: (incarnation) => descendants.of(service.name, incarnation) }),
  };
  const launcher = processLauncher(options);
  const launcherOfNow = (): Launcher => {
    if (audience.socket.length === 0 && !credentials) return launcher;
    const own = { ...credentials?.(service.name, service.tenant), ...service.run.environment };
    const run = { ...service.run, environment: own };
    if (audience.socket.length === 0) return processLauncher({ ...options, process: run });
    const tell = listen(audience.socket);
    return socketLauncher({ ...service, run }, { options, sockets: context.sockets, tell });
  };
  return {
    spec,
    ...probes,
    launcher: {
      launch(incarnation, report) {
        latest = incarnation;
        for (const one of all) one.reset();
        return launcherOfNow().launch(incarnation, report);
      },
    },
  };
}

/** What a service says it is doing, for who wants to know: it may say a lot. */
function statusLog(service: string, log: Log): Listener {
  return {
    hear(notice) {
      if (notice.type === "status") log.debug(`status: ${notice.text}`, { service });
    },
    reset() {},
  };
}

type LauncherOptions = Parameters<typeof processLauncher>[0];

/** The same process with a socket of its own to notify on, which is there as long as the process. */
function socketLauncher(
  { run, liveness }: ProcessService,
  {
    options,
    sockets,
    tell,
  }: { options: LauncherOptions; sockets: NotifySockets; tell(notice: Notice): void },
): Launcher {
  return {
    launch(incarnation: number, report: (outcome: LaunchOutcome) => void): Running {
      const speaker: Speaker = {};
      const socket = sockets.open({ speaker, tell });
      const environment = {
        ...run.environment,
        ...(socket.address !== undefined && { NOTIFY_SOCKET: socket.address }),
        ...(liveness?.type === "notify" && { WATCHDOG_USEC: String(liveness.intervalMs * 1000) }),
      };
      const launcher = processLauncher({
        ...options,
        process: { ...run, environment },
        lookUpIds: (who) => Object.assign(speaker, lookUpIds(who)),
      });
      return launcher.launch(incarnation, (outcome) => {
        if (outcome.type !== "launched") socket.close();
        else if (outcome.pid !== undefined) speaker.pid = outcome.pid;
        report(outcome);
      });
    },
  };
}
