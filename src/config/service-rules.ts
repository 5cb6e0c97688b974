// What the schema cannot see because it takes more than one key, or more than one service: which keys go together, and whether
// dependencies name something that can fulfil them. Cycles are found by the core, which has the graph.
import type { Dependency } from "./config.ts";
import type { Path } from "./path.ts";
import { replicaName } from "./replicas.ts";
import { cronProblem, isTimeZone } from "./schedule.ts";
import { isServiceName, NAME_RULE } from "./service-name.ts";
import type { RawProbe, RawService } from "./service-schema.ts";
import { didYouMean } from "./did-you-mean.ts";

/** What a rule may look at beside its service. */
export interface RuleScope {
  /** What there is under this name, be it a key or one of its replicas; `undefined`: nothing. */
  find(service: string): { task: boolean; scheduled: boolean } | undefined;
  /** The key that has a replica of this name. */
  replicated(service: string): string | undefined;
  /** The keys. */
  names: readonly string[];
  /** Whether what it runs is missing only because it could not be used, which has been reported. */
  isMisspelt(service: string): boolean;
  /** Whether the files say something at this path (defaults do not count). */
  written(path: Path): boolean;
  report(path: Path, message: string, part?: "key" | "value"): void;
}

const PROCESS_KEYS =
  "environment envFile cwd user group shell stdin stopSignal forwardSignals notificationFd".split(" ");
const CHECKS = ["http", "tcp", "exec", "notify", "log", "logPattern"] as const;
const PROBES = ["startup", "liveness", "readiness"] as const;

/** Reports every rule that a service breaks. */
export function checkService(name: string, service: RawService, scope: RuleScope): void {
  const path = ["services", name];
  checkName(name, service, scope);
  checkKind(name, service, scope);
  for (const key of PROBES) {
    const probe = service[key];
    if (typeof probe === "object") checkProbe([...path, key], { probe, module: isModule(service) }, scope);
  }
  if (service.readiness === "manual" && !isModule(service)) {
    scope.report(
      [...path, "readiness"],
      "`manual` is for modules, which can call `markReady()`: use a probe",
    );
  }
  if (service.kind === "task") checkTask(path, service, scope);
  else if (service.notificationFd !== undefined) checkNotified(path, service, scope);
  checkSchedule(name, service, scope);
}

function checkName(name: string, { replicas }: RawService, { replicated, report }: RuleScope): void {
  const path = ["services", name];
  const last = replicaName(name, { replica: replicas, of: replicas });
  if (!isServiceName(name)) report(path, `cannot name a service "${name}": ${NAME_RULE}`, "key");
  else if (!isServiceName(last)) report(path, `cannot name a replica "${last}": ${NAME_RULE}`, "key");
  const group = replicated(name);
  if (group !== undefined) {
    report(
      path,
      `cannot name a service "${name}": "${group}" has a replica of that name; rename one of them`,
      "key",
    );
  }
}

function checkTask(path: Path, service: RawService, { report }: RuleScope): void {
  const { readiness, liveness, notificationFd, restart, port } = service;
  const never = "a task is never ready, it is done when it ends: leave it out";
  if (readiness !== undefined) report([...path, "readiness"], never, "key");
  if (notificationFd !== undefined) report([...path, "notificationFd"], never, "key");
  if (port !== undefined) report([...path, "port"], "nobody looks up a task: leave it out", "key");
  if (liveness !== undefined) {
    const message =
      "a task is not asked whether it lives, `startTimeout` is how long it may take: leave it out";
    report([...path, "liveness"], message, "key");
  }
  if (restart.policy === "always") {
    const message =
      "a task that is always started again is never done: use `on-failure`, or `schedule` for times";
    report([...path, "restart"], message);
  }
}

/** A descriptor that nothing listens to is a mistake. By itself it means `readiness`, see `services.ts`. */
function checkNotified(path: Path, { startup, readiness }: RawService, { report }: RuleScope): void {
  const heard = [startup, readiness].some((probe) => typeof probe === "object" && probe.notify);
  if (readiness === undefined || heard) return;
  const message =
    "nothing waits for it: write `notify: true` as the probe in `readiness` or `startup`, or leave `readiness` out";
  report([...path, "notificationFd"], message, "key");
}

function checkSchedule(name: string, { kind, schedule }: RawService, { report, written }: RuleScope): void {
  if (schedule === undefined) return;
  const path = ["services", name, "schedule"];
  // A kind that is written and none has been reported.
  if (kind !== "task" && !written(["services", name, "kind"])) {
    report(path, "only a task has times at which it runs: add `kind: task`", "key");
  }
  const cronPath = [...path, "cron"];
  const problem = cronProblem(schedule.cron);
  if (problem !== undefined) report(written(cronPath) ? cronPath : path, problem);
  const { timeZone } = schedule;
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    report(
      [...path, "timeZone"],
      `there is no time zone "${timeZone}": use an IANA name, as Europe/Berlin or UTC`,
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
    if (module && check === "notify")
      report([...path, check], "`notify` is for processes; a module has `readiness: manual`", "key");
    if (path.at(-1) === "liveness" && ONCE.has(check))
      report([...path, check], `\`${check}\` passes once and for all: use http, tcp, exec or notify`, "key");
  }
}

/** Checks that cannot fail once they have passed. */
const ONCE: ReadonlySet<string> = new Set(["log", "logPattern"]);

/** The dependencies of a service with their conditions; reports those that cannot be. */
export function resolveDependencies(name: string, service: RawService, scope: RuleScope): Dependency[] {
  const path = ["services", name, "dependencies"];
  const written = service.dependencies;
  const entries = Array.isArray(written)
    ? written.map((target, index) => ({ target, path: [...path, index], details: LISTED }))
    : Object.entries(written).map(([target, details]) => ({ target, path: [...path, target], details }));
  const seen = new Set<string>();
  return entries.map((entry) => {
    if (seen.has(entry.target)) scope.report(entry.path, `"${entry.target}" is listed twice`);
    seen.add(entry.target);
    return resolveDependency(name, entry, scope);
  });
}

type Details = Exclude<RawService["dependencies"], string[]>[string];

/** What holds of a dependency of which nothing is said. */
const LISTED = { required: true, restart: false };

function resolveDependency(
  name: string,
  { target, path, details }: { target: string; path: Path; details: Details },
  { find, names, report }: RuleScope,
): Dependency {
  const { condition, required, restart } =
    typeof details === "string" ? { condition: details, ...LISTED } : details;
  const found = find(target);
  if (!found) {
    const others = names.filter((other) => other !== name);
    report(path, `Unknown dependency '${target}' for service '${name}'${didYouMean(target, others)}`, "key");
  } else if (found.scheduled) {
    report(
      path,
      `"${target}" is scheduled and no part of the start: nothing can wait for it; leave it out`,
      "key",
    );
  } else if (found.task && condition === "ready") {
    report(path, `"${target}" is a task and never \`ready\`: use \`completed\``);
  } else if (!found.task && condition === "completed") {
    report(path, `"${target}" is not a task and never \`completed\`: use \`ready\` or \`started\``);
  }
  return {
    service: target,
    condition: condition ?? (found?.task ? "completed" : "ready"),
    required,
    restart,
  };
}
