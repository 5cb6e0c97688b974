// Turns a service as it is written into one the runtime can use: absolute paths, an argument list, one environment, one kind of
// run. Reports what goes wrong on the way; the rules between keys are next door in `service-rules.ts`.
import { splitCommand } from "./command.ts";
import type { ModuleConfig, ProbeConfig, ProcessConfig, ServiceConfig } from "./config.ts";
import { readText, resolvePath, type FileAccess } from "./files.ts";
import type { Place } from "./layers.ts";
import type { Path } from "./path.ts";
import type { RawProbe, RawService } from "./schema.ts";
import { checkService, resolveDependencies, type RuleScope } from "./service-rules.ts";

export interface ServiceScope extends RuleScope {
  access: FileAccess;
  /** Where a process runs that does not say. */
  cwd: string;
  /** The folder of the file that says what stands at a path. */
  folder(path: Path): string;
  place(path: Path): Place;
}

/** One service, with everything that is wrong with it reported. */
export function resolveService(name: string, raw: RawService, scope: ServiceScope): ServiceConfig {
  checkService(name, raw, scope);
  const service = {
    name,
    task: raw.kind === "task",
    run: raw.entrypoint === undefined ? resolveProcess(name, raw, scope) : resolveModule(name, raw, scope),
    priority: raw.priority,
    dependencies: resolveDependencies(name, raw, scope),
    critical: raw.critical,
    profiles: raw.profiles,
    startTimeoutMs: raw.startTimeout,
    stopTimeoutMs: raw.stopTimeout,
    ...(raw.startup && { startup: resolveProbe(raw.startup) }),
    ...(raw.readiness && {
      readiness: raw.readiness === "manual" ? raw.readiness : resolveProbe(raw.readiness),
    }),
  };
  return {
    ...service,
    /** Worked out when asked for: it takes a second, slower reading of the file. */
    get position() {
      const { file, line, column } = scope.place(["services", name]);
      return { file, line, column };
    },
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

function resolveProcess(name: string, raw: RawService, scope: ServiceScope): ProcessConfig {
  const path = ["services", name];
  return {
    type: "process",
    argv: resolveArgv([...path, "command"], raw, scope),
    cwd: raw.cwd === undefined ? scope.cwd : resolvePath(scope.folder([...path, "cwd"]), raw.cwd),
    environment: resolveEnvironment(path, raw, scope),
    ...(raw.user !== undefined && { user: raw.user }),
    ...(raw.group !== undefined && { group: raw.group }),
    stdin: raw.stdin,
    stopSignal: raw.stopSignal,
  };
}

function resolveArgv(path: Path, { command, shell }: RawService, { report }: ServiceScope): string[] {
  if (typeof command !== "string") {
    if (command?.[0] === "") report([...path, 0], "the first argument is what to run, and is empty");
    return command ?? [];
  }
  if (shell) return ["/bin/sh", "-c", command];
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
  return { ...readEnvFile([...path, "envFile"], raw.envFile, scope), ...raw.environment };
}

function readEnvFile(
  path: Path,
  file: string | undefined,
  { access, folder, report }: ServiceScope,
): Record<string, string> {
  if (file === undefined) return {};
  const content = readText(resolvePath(folder(path), file), access);
  if ("text" in content) return access.parseEnv(content.text);
  report(path, `cannot read "${file}": ${content.problem}`);
  return {};
}

function resolveProbe({
  interval,
  timeout,
  failureThreshold,
  successThreshold,
  ...checks
}: RawProbe): ProbeConfig {
  const times = { intervalMs: interval, timeoutMs: timeout, failureThreshold, successThreshold };
  if (checks.http !== undefined) return { type: "http", url: checks.http, ...times };
  if (checks.tcp !== undefined) return { type: "tcp", ...checks.tcp, ...times };
  if (checks.log !== undefined) return { type: "log", text: checks.log, ...times };
  return { type: "logPattern", pattern: checks.logPattern ?? "", ...times };
}
