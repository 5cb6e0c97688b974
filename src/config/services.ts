// Turns a service as it is written into one the runtime can use: absolute paths, an argument list, one environment, one kind of
// run. Reports what goes wrong on the way; the rules between keys are next door in `service-rules.ts`.
import { splitCommand } from "./command.ts";
import type {
  ModuleConfig,
  ProbeConfig,
  ProcessConfig,
  RestartConfig,
  ScheduleConfig,
  ServiceConfig,
} from "./config.ts";
import { BAD_ENV_LINE, readEnvFile } from "./env-file.ts";
import { resolvePath, type FileAccess } from "./files.ts";
import type { Place } from "./layers.ts";
import type { Path } from "./path.ts";
import type { Replica } from "./replicas.ts";
import type { RawProbe, RawService } from "./service-schema.ts";
import { resolveRoutes, type RoutedService } from "./routes.ts";
import { checkService, resolveDependencies, type RuleScope } from "./service-rules.ts";

export interface ServiceScope extends RuleScope {
  /** Whether the runtime opens a port. */
  http: boolean;
  access: FileAccess;
  /** Where a process runs that does not say. */
  cwd: string;
  /** The folder of the file that says what stands at a path. */
  folder(path: Path): string;
  place(path: Path, part?: "key" | "value"): Place;
}

/** One service, with everything that is wrong with it reported. */
export function resolveService({ raw, ...replica }: Replica, scope: ServiceScope): ServiceConfig {
  const { group } = replica;
  checkService(group, raw, scope);
  const probes = resolveProbes(group, raw, scope);
  const service = {
    name: replica.name,
    group,
    replica: replica.replica,
    task: raw.kind === "task",
    run:
      raw.entrypoint === undefined ? resolveProcess(replica, raw, scope) : resolveModule(group, raw, scope),
    priority: raw.priority,
    dependencies: resolveDependencies(group, raw, scope),
    critical: raw.critical,
    profiles: raw.profiles,
    startTimeoutMs: raw.startTimeout,
    stopTimeoutMs: raw.stopTimeout,
    restart: resolveRestart(group, raw, scope),
    ...probes,
    ...(raw.tenant !== undefined && { tenant: raw.tenant }),
    ...(raw.port !== undefined && { port: raw.port }),
    ...(raw.schedule && { schedule: raw.schedule satisfies ScheduleConfig }),
    routes: resolveRoutes(raw.routes, routedOf(group, raw, probes), scope),
    watch: raw.watch.map((glob, index) =>
      resolvePath(scope.folder(["services", group, "watch", index]), glob),
    ),
  };
  return {
    ...service,
    /** Worked out when asked for: it takes a second, slower reading of the file. */
    get position() {
      const { file, line, column } = scope.place(["services", group]);
      return { file, line, column };
    },
  };
}

function routedOf(
  group: string,
  { kind, entrypoint, port }: RawService,
  { readiness, startup, liveness }: Pick<ServiceConfig, "startup" | "liveness" | "readiness">,
): RoutedService {
  const probes = [readiness === "manual" ? undefined : readiness, startup, liveness];
  return { group, task: kind === "task", module: entrypoint !== undefined, port, probes };
}

/** Someone who asks whether a service lives wants something done when it does not. */
function resolveRestart(
  name: string,
  { restart, liveness }: RawService,
  { written }: ServiceScope,
): RestartConfig {
  const unsaid = liveness !== undefined && !written(["services", name, "restart"]);
  return {
    policy: unsaid ? "on-failure" : restart.policy,
    backoff: restart.backoff,
    limit: restart.limit,
    resetAfterMs: restart.resetAfter,
  };
}

function resolveModule(name: string, raw: RawService, scope: ServiceScope): ModuleConfig {
  const path = ["services", name, "entrypoint"];
  const entrypoint = raw.entrypoint ?? "";
  const hash = entrypoint.lastIndexOf("#");
  const file = hash === -1 ? entrypoint : entrypoint.slice(0, hash);
  const exportName = hash === -1 ? "default" : entrypoint.slice(hash + 1);
  if (file === "" || exportName === "") {
    scope.report(path, `expected an entrypoint such as "./api.ts" or "./api.ts#Api", got "${entrypoint}"`);
  }
  return {
    type: "module",
    file: resolvePath(scope.folder(path), file),
    exportName,
    entrypoint,
    settings: raw.settings,
  };
}

function resolveProcess(
  { group, replica, of }: Omit<Replica, "raw">,
  raw: RawService,
  scope: ServiceScope,
): ProcessConfig {
  const path = ["services", group];
  return {
    type: "process",
    argv: raw.shell ? shellArgv(raw) : resolveArgv([...path, "command"], raw.command ?? [], scope),
    cwd: raw.cwd === undefined ? scope.cwd : resolvePath(scope.folder([...path, "cwd"]), raw.cwd),
    environment: {
      ...resolveEnvironment(path, raw, scope),
      ...(of > 1 && { HARAKA_REPLICA: String(replica) }),
    },
    ...(raw.user !== undefined && { user: raw.user }),
    ...(raw.group !== undefined && { group: raw.group }),
    stdin: raw.stdin,
    stopSignal: raw.stopSignal,
    forwardSignals: [...new Set(raw.forwardSignals)],
    ...(raw.notificationFd !== undefined && { notificationFd: raw.notificationFd }),
  };
}

function shellArgv({ command = [] }: RawService): string[] {
  return typeof command === "string" ? ["/bin/sh", "-c", command] : command;
}

function resolveArgv(path: Path, command: string | string[], { report }: ServiceScope): string[] {
  if (typeof command !== "string") {
    if (command[0] === "") report([...path, 0], "the first argument is what to run, and is empty");
    return command;
  }
  const split = splitCommand(command);
  if ("argv" in split) return split.argv;
  report(path, split.problem);
  return [];
}

function resolveEnvironment(path: Path, raw: RawService, scope: ServiceScope): Record<string, string> {
  for (const name of Object.keys(raw.environment)) {
    if (name === "" || name.includes("=")) {
      scope.report(
        [...path, "environment", name],
        `cannot name a variable "${name}": it is empty or has a "="`,
        "key",
      );
    }
  }
  return { ...variablesOf([...path, "envFile"], raw.envFile, scope), ...raw.environment };
}

function variablesOf(
  path: Path,
  file: string | undefined,
  { access, folder, report }: ServiceScope,
): Record<string, string> {
  if (file === undefined) return {};
  const content = readEnvFile(resolvePath(folder(path), file), access);
  if ("variables" in content) {
    for (const line of content.badLines) report(path, `${file}:${line}: ${BAD_ENV_LINE}`);
    return content.variables;
  }
  report(path, `cannot read "${file}": ${content.problem}`);
  return {};
}

/** The probes of a service. A descriptor to be told on, and nothing else said, is a probe of its own. */
function resolveProbes(
  name: string,
  { startup, liveness, readiness, notificationFd }: RawService,
  scope: ServiceScope,
): Pick<ServiceConfig, "startup" | "liveness" | "readiness"> {
  const at = (key: string) => ["services", name, key];
  const told = notificationFd !== undefined && !startup?.notify;
  return {
    ...(startup && { startup: resolveProbe(at("startup"), startup, scope) }),
    ...(liveness && { liveness: resolveProbe(at("liveness"), liveness, scope) }),
    ...(readiness === undefined && told && { readiness: TOLD }),
    ...(readiness && {
      readiness: readiness === "manual" ? readiness : resolveProbe(at("readiness"), readiness, scope),
    }),
  };
}

/** `{ notify: true }`. */
const TOLD: ProbeConfig = {
  type: "notify",
  intervalMs: 1000,
  timeoutMs: 1000,
  failureThreshold: 3,
  successThreshold: 1,
};

function resolveProbe(
  path: Path,
  { interval, timeout, failureThreshold, successThreshold, ...checks }: RawProbe,
  scope: ServiceScope,
): ProbeConfig {
  const times = { intervalMs: interval, timeoutMs: timeout, failureThreshold, successThreshold };
  if (checks.http !== undefined) return { type: "http", url: checks.http, ...times };
  if (checks.tcp !== undefined) return { type: "tcp", ...checks.tcp, ...times };
  if (checks.exec !== undefined) {
    return { type: "exec", argv: resolveArgv([...path, "exec"], checks.exec, scope), ...times };
  }
  if (checks.notify) return { type: "notify", ...times };
  if (checks.log !== undefined) return { type: "log", text: checks.log, ...times };
  return { type: "logPattern", pattern: checks.logPattern ?? "", ...times };
}
