// What the schema cannot see because it takes more than one key, or more than one service: which keys go together, and whether
// dependencies name something that can fulfil them. Cycles are found by the core, which has the graph.
import type { Dependency } from "./config.ts";
import type { Path } from "./path.ts";
import type { RawProbe, RawService } from "./schema.ts";
import { didYouMean } from "./did-you-mean.ts";

/** What a rule may look at beside its service. */
export interface RuleScope {
  /** Whether a service of this name is a task; `undefined`: there is none. */
  isTask(service: string): boolean | undefined;
  names: readonly string[];
  /** Whether what it runs is missing only because it could not be used, which has been reported. */
  isMisspelt(service: string): boolean;
  /** Whether the files say something at this path (defaults do not count). */
  written(path: Path): boolean;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

const PROCESS_KEYS = ["environment", "envFile", "cwd", "user", "group", "shell", "stdin", "stopSignal"];
const CHECKS = ["http", "tcp", "log", "logPattern"] as const;
const NAME = /^[a-z][a-z0-9._-]{0,62}$/;

/** Reports every rule that a service breaks. */
export function checkService(name: string, service: RawService, scope: RuleScope): void {
  const path = ["services", name];
  if (!NAME.test(name)) {
    const rule = "a name starts with a letter and has up to 63 lower-case letters, digits, `.`, `_` and `-`";
    scope.report(path, `cannot name a service "${name}": ${rule}`, "key");
  }
  checkKind(name, service, scope);
  for (const key of ["startup", "readiness"] as const) {
    const probe = service[key];
    if (typeof probe === "object") checkProbe([...path, key], { probe, module: isModule(service) }, scope);
  }
  if (service.readiness === "manual" && !isModule(service)) {
    scope.report(
      [...path, "readiness"],
      "`manual` is for modules, which can call `markReady()`: use a probe",
    );
  }
  if (service.kind === "task" && service.readiness !== undefined) {
    scope.report(
      [...path, "readiness"],
      "a task is never ready, it is done when it ends: leave it out",
      "key",
    );
  }
}

function isModule(service: RawService): boolean {
  return service.entrypoint !== undefined && service.command === undefined;
}

function checkKind(name: string, service: RawService, { isMisspelt, report, written }: RuleScope): void {
  const path = ["services", name];
  const { command, entrypoint } = service;
  if (command === undefined && entrypoint === undefined && !isMisspelt(name)) {
    report(path, "a service needs `command` (a process) or `entrypoint` (a module)", "key");
  }
  if (command !== undefined && entrypoint !== undefined) {
    report(
      [...path, "entrypoint"],
      "`entrypoint` and `command` exclude each other: a service is a module or a process",
      "key",
    );
  }
  if (command !== undefined && service.settings !== undefined) {
    report(
      [...path, "settings"],
      "`settings` are for modules; give a process `environment` or arguments",
      "key",
    );
  }
  for (const key of isModule(service) ? PROCESS_KEYS : []) {
    if (written([...path, key]))
      report([...path, key], `\`${key}\` is for processes; a module shares this process`, "key");
  }
  if (service.shell && Array.isArray(command)) {
    report([...path, "command"], "with `shell: true` the command is one text, got a list");
  }
}

function checkProbe(
  path: Path,
  { probe, module }: { probe: RawProbe; module: boolean },
  { report }: RuleScope,
): void {
  const checks = CHECKS.filter((check) => probe[check] !== undefined);
  if (checks.length !== 1) {
    const actual = checks.length === 0 ? "none of them" : checks.join(" and ");
    report(path, `a probe has one of ${CHECKS.join(", ")}; got ${actual}`, "key");
  }
  for (const check of checks) {
    if (module && check.startsWith("log"))
      report([...path, check], `\`${check}\` is for processes; a module has no output of its own`, "key");
  }
}

/** The dependencies of a service with their conditions; reports those that cannot be. */
export function resolveDependencies(name: string, service: RawService, scope: RuleScope): Dependency[] {
  const path = ["services", name, "dependencies"];
  const written = service.dependencies;
  const entries = Array.isArray(written)
    ? written.map((target, index) => ({ target, path: [...path, index], details: { required: true } }))
    : Object.entries(written).map(([target, details]) => ({ target, path: [...path, target], details }));
  const seen = new Set<string>();
  return entries.map((entry) => {
    if (seen.has(entry.target)) scope.report(entry.path, `"${entry.target}" is listed twice`);
    seen.add(entry.target);
    return resolveDependency(name, entry, scope);
  });
}

type Details = Exclude<RawService["dependencies"], string[]>[string];

function resolveDependency(
  name: string,
  { target, path, details }: { target: string; path: Path; details: Details },
  { isTask, names, report }: RuleScope,
): Dependency {
  const { condition, required } =
    typeof details === "string" ? { condition: details, required: true } : details;
  const task = isTask(target);
  if (task === undefined) {
    const others = names.filter((other) => other !== name);
    report(path, `Unknown dependency '${target}' for service '${name}'${didYouMean(target, others)}`, "key");
  } else if (task && condition === "ready") {
    report(path, `"${target}" is a task and never \`ready\`: use \`completed\``);
  } else if (!task && condition === "completed") {
    report(path, `"${target}" is not a task and never \`completed\`: use \`ready\` or \`started\``);
  }
  return { service: target, condition: condition ?? (task ? "completed" : "ready"), required };
}
