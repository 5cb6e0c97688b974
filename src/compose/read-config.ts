// From what the command line names to a config that can be run: finds the files, reads them with this process's files and
// variables, and holds what they say against the order's rules.
import { existsSync } from "node:fs";
import type { Config, ServiceConfig } from "../config/config.ts";
import { BAD_ENV_LINE, readEnvFile } from "../config/env-file.ts";
import { type FileAccess, resolvePath } from "../config/files.ts";
import { loadConfig } from "../config/load.ts";
import { printConfig } from "../config/print.ts";
import { graphProblems } from "../core/graph.ts";
import { routeConflicts, routesOf, strayReplicas } from "../core/routes.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { configFiles } from "../drivers/config-files.ts";
import { selfCommand } from "../drivers/self-command.ts";
import { parseYaml } from "../drivers/yaml-bun.ts";
import { ConfigError, type Diagnostic, UsageError } from "../errors.ts";

export interface ConfigRequest {
  /** As given with `-c`; empty: look for it. */
  files: readonly string[];
  envFiles: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** The CLI's main module, for `${HARAKA_SELF}`. */
  main: string;
  /** How the config's files are read. Default: as they are. */
  access?: FileAccess;
}

export interface ReadConfig {
  config: Config;
  /** The config's variables: what the process has, then what `--env-file` adds. */
  env: Readonly<Record<string, string | undefined>>;
  /** The resolved config as YAML, secrets redacted. */
  print: () => string;
}

/** Throws `ConfigError` with every problem, or `UsageError` when there is no config to be found. */
export function readConfig(request: ConfigRequest): ReadConfig {
  const { envFiles, env, cwd, main, access = configFiles } = request;
  const variables = {
    ...Object.assign({}, ...envFiles.map((file) => variablesOf(resolvePath(cwd, file)))),
    ...env,
  };
  // Not enumerable: the launcher it names in a run from source is only written when a config asks for it.
  const self = selfCommand(main);
  Object.defineProperty(variables, "HARAKA_SELF", { get: self });
  const files = configPaths(request);
  const source = { ...access, parseYaml, files, env: variables, cwd, platform: process.platform };
  const config = loadConfig(source);
  const problems = [
    ...graphProblems(config.services.map(specOf)).map(({ service, message }) =>
      diagnosticAt(config, service, message),
    ),
    ...routeProblems(config),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, env: variables, print: () => printConfig(source) };
}

/** What is wrong with routes beside each other. */
function routeProblems(config: Config): Diagnostic[] {
  const conflicts = routeConflicts(routesOf(config.services), namespaceOf(config));
  return [
    ...strayReplicas(config.services).map(({ name, group, routes }) => {
      const { file, line, column } = routes[0]?.position ?? diagnosticAt(config, name, "");
      const message = `cannot route to "${name}": only where a route leads may differ between replicas`;
      return { file, line, column, path: `services.${group}.routes`, message };
    }),
    ...conflicts.map(({ route, other, message }) => {
      const { file, line, column } = other.position;
      const advice = "change one of them, or give one another `priority`";
      return {
        ...route.position,
        path: `services.${route.service}.routes`,
        message: `${message}, at ${file}:${line}:${column}; ${advice}`,
      };
    }),
  ];
}

/** What the names of everything that it publishes begin with. */
export function namespaceOf({ runtime, plane }: Pick<Config, "runtime" | "plane">): string {
  return plane?.store.driver === "redis" ? plane.store.namespace : runtime.name;
}

/** The files that are named, or the one that is found. Throws `UsageError` when there is none. */
export function configPaths({
  files,
  env,
  cwd,
}: Pick<ConfigRequest, "files" | "env" | "cwd">): readonly string[] {
  return files.length > 0 ? files : [findConfig(env, cwd)];
}

const PLACES = ["runtime.yaml", "config/runtime.yaml"];

/** The one that is used where none is named. */
export function configPath(env: ConfigRequest["env"], cwd: string): string | undefined {
  return env.HARAKA_CONFIG || PLACES.find((place) => existsSync(resolvePath(cwd, place)));
}

function findConfig(env: ConfigRequest["env"], cwd: string): string {
  const found = configPath(env, cwd);
  if (found !== undefined) return found;
  throw new UsageError(
    `no config: neither ${PLACES.join(" nor ")} is in ${cwd}; name one with -c FILE or HARAKA_CONFIG, or write one with 'haraka init'`,
  );
}

function variablesOf(file: string): Record<string, string> {
  const content = readEnvFile(file, configFiles);
  if ("problem" in content) throw new UsageError(`cannot read --env-file '${file}': ${content.problem}`);
  const { variables, badLines } = content;
  if (badLines.length === 0) return variables;
  throw new ConfigError(badLines.map((line) => ({ file, line, column: 1, path: "", message: BAD_ENV_LINE })));
}

/** Where the service stands in the config. */
export function diagnosticAt(config: Config, service: string, message: string): Diagnostic {
  const position = config.services.find(({ name }) => name === service)?.position;
  const { file, line, column } = position ?? { file: config.files[0] ?? "", line: 1, column: 1 };
  return { file, line, column, path: `services.${service}`, message };
}

/** What the core needs to know of it. */
export function specOf(service: ServiceConfig): ServiceSpec {
  const { run, schedule, startup, liveness, readiness, critical } = service;
  return {
    name: service.name,
    group: service.group,
    task: service.task,
    inProcess: run.type === "module",
    ...(schedule && { schedule: { overlap: schedule.overlap } }),
    priority: service.priority,
    dependencies: service.dependencies,
    // A failed run is recorded, and the next one may do better.
    critical: critical && schedule === undefined,
    restart: service.restart,
    startupProbe: startup !== undefined,
    livenessProbe: liveness !== undefined,
    readiness: readiness === undefined ? "started" : readiness === "manual" ? "manual" : "probe",
    patient: false,
    startTimeoutMs: service.startTimeoutMs,
    stopTimeoutMs: service.stopTimeoutMs,
  };
}
