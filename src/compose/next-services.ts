// What another reading of the config, or other files, make of the services that run: those that are as they were are taken over,
// so that they go on; of the others the code is loaded, and the command looked for, before anything is stopped for it.
import type { Config, ProcessConfig, ServiceConfig } from "../config/config.ts";
import { fateOf, judgeGroup } from "../core/condition.ts";
import type { Fleet } from "../core/fleet.ts";
import { dependentsOn } from "../core/graph.ts";
import { isHeld } from "../core/member.ts";
import { called } from "../core/selection.ts";
import type { ServiceState } from "../core/service-state.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { ABSENT } from "../drivers/file-content.ts";
import { ConfigError, messageOf, UsageError } from "../errors.ts";
import { ABANDONED, type NextServices } from "../runtime/operator.ts";
import { diagnosticAt, type ReadConfig } from "./read-config.ts";
import type { FileContents, ServiceFiles } from "./service-files.ts";
import {
  chosenSpecs,
  createServices,
  isModule,
  isProcess,
  loadModule,
  type RunningServices,
  type ServicesContext,
} from "./services.ts";

/** What the services that run are made of. */
export type Contents = ReadonlyMap<string, FileContents>;

export interface Reading {
  running: RunningServices;
  contents: Contents;
  /** Processes that run as they were, since what the config makes of them would not start. */
  waiting?: ReadonlySet<string>;
}

export interface Difference extends NextServices {
  next: Reading;
  /** For each that has changed, the files that have. */
  files: ReadonlyMap<string, readonly string[]>;
  /** Those whose new code cannot be loaded, or whose new command would not start, and which now go on as they were, with the reason. */
  kept: ReadonlyMap<string, string>;
}

export interface DifferenceOptions {
  context: ServicesContext;
  /** What cannot be loaded, or would not start, stays as it is, instead of being a reason to change nothing at all. */
  lenient: boolean;
}

/** What `running` is made of. A file that is known is what it was; one that is not is looked at now. */
export async function learn(
  reading: Reading,
  files: ServiceFiles,
  options?: { unsureSinceMs?: number },
): Promise<Reading> {
  const { running, contents } = reading;
  const learned = new Map<string, FileContents>();
  for (const service of chosen(running)) {
    const known = contents.get(service.name);
    const found = await files.read(service, options);
    learned.set(service.name, new Map([...found].map(([file, text]) => [file, known?.get(file) ?? text])));
  }
  return { ...reading, contents: learned };
}

/**
 * Throws `UsageError` where more than services has changed, and, unless lenient, `ConfigError` for code that cannot be loaded and
 * commands that would not start; nothing has changed then.
 */
export async function nextServices(
  { running, contents, waiting = new Set() }: Reading,
  { config, env }: Pick<ReadConfig, "config" | "env">,
  { context, lenient }: DifferenceOptions,
): Promise<Difference> {
  refuseOtherChanges(running.config, config);
  const specs = chosenSpecs(config, context);
  const next = await createServices(config, specs, { ...context, env });
  const { contents: nextContents } = await learn({ running: next, contents: new Map() }, context.files);
  const names = specs.map(({ name }) => name);
  const known = new Map(running.services.map((service) => [service.spec.name, service]));
  const [before, after] = [madeFrom(running), madeFrom(next)];
  const files = new Map(names.map((name) => [name, differing(contents.get(name), nextContents.get(name))]));
  const isSame = (name: string) => before.get(name) === after.get(name) && files.get(name)?.length === 0;
  const other = names.filter((name) => known.has(name) && !isSame(name));
  const added = names.filter((name) => !known.has(name));
  const stale = chosen(next)
    .filter(isModule)
    .flatMap(({ name }) => otherThanLoaded(nextContents.get(name), contents));
  const takeBack = stale.length > 0 ? await context.files.renew(stale) : () => {};
  const again = names.filter((name) => waiting.has(name) && known.has(name) && isSame(name));
  const broken = await problemsOf(next, {
    names: new Set([...other, ...added, ...again]),
    modules: context.modules,
    lenient,
  });
  if (!lenient && broken.size > 0) {
    takeBack();
    throw new ConfigError([...broken].map(([name, problem]) => diagnosticAt(config, name, problem)));
  }
  // It may be asked for again as it is, by a restart.
  for (const { name, run } of chosen(next).filter(isModule)) {
    if (broken.has(name)) await context.files.forgetFailure(run.file);
  }
  // What is as it was the last time has been told then.
  const kept = new Map([...broken].filter(([name]) => other.includes(name)));
  const changed = [...other, ...again].filter((name) => !broken.has(name));
  const isNew = new Set([...added, ...changed]);
  const services = next.services.map((service) =>
    isNew.has(service.spec.name) ? service : (known.get(service.spec.name) ?? service),
  );
  const late = chosen(next).filter(
    (each) => isProcess(each) && broken.has(each.name) && !isNew.has(each.name),
  );
  return {
    services,
    added,
    changed,
    removed: [...known.keys()].filter((name) => !names.includes(name)),
    // By loading, more may have become known.
    next: await learn(
      {
        running: { ...next, services },
        contents: nextContents,
        waiting: new Set(late.map(({ name }) => name)),
      },
      context.files,
    ),
    files,
    kept,
  };
}

interface Suspects {
  names: ReadonlySet<string>;
  modules: ServicesContext["modules"];
  lenient: boolean;
}

/**
 * Why the code of these cannot be loaded, their commands would not start, or they would not come up again; those of which nothing
 * is known are left out. What a task makes just now may be what others need.
 */
async function problemsOf(
  next: RunningServices,
  { names, modules, lenient }: Suspects,
): Promise<Map<string, string>> {
  const { fleet } = modules.supervisor;
  const problems = new Map<string, string>();
  for (const { name, dependencies } of next.specs.filter((spec) => names.has(spec.name))) {
    const member = fleet.member(name);
    const isWanted = !lenient && member !== undefined && !isHeld(member);
    const lost = isWanted ? lostNeed(dependencies, { fleet, names }) : undefined;
    if (fleet.isAbandoned(name)) problems.set(name, `cannot start: ${ABANDONED}`);
    else if (lost !== undefined) problems.set(name, `cannot start again: ${lost}`);
  }
  const tasks = next.specs.filter(({ name, task, schedule }) => task && !schedule && names.has(name));
  const afterTasks = dependentsOn(
    next.specs,
    tasks.map(({ name }) => name),
  );
  for (const service of chosen(next)) {
    if (!names.has(service.name) || problems.has(service.name)) continue;
    if (isProcess(service) && afterTasks.includes(service.name)) continue;
    try {
      if (isModule(service)) await loadModule(service, modules);
      else if (isProcess(service)) await refuseUnlessStartable(service, next.env);
    } catch (error) {
      problems.set(service.name, messageOf(error));
    }
  }
  return problems;
}

/** A requirement that is not there, will not come, and does not begin anew together with what needs it. */
function lostNeed(
  dependencies: ServiceSpec["dependencies"],
  { fleet, names }: { fleet: Fleet; names: ReadonlySet<string> },
): string | undefined {
  for (const { service, condition, required } of dependencies) {
    const needed = required ? called(fleet, service) : [];
    if (needed.length === 0 || needed.some(({ planned }) => names.has(planned.spec.name))) continue;
    const states = needed.map(({ state }) => state);
    if (judgeGroup(condition, [...states.keys()], (index) => states[index] as ServiceState) === "lost")
      return `it needs '${service}', which ${fateOf(states)}; start '${service}' first`;
  }
  return undefined;
}

async function refuseUnlessStartable(
  service: ServiceConfig & { run: ProcessConfig },
  env: RunningServices["env"],
): Promise<void> {
  const { startProblem } = await import("./process-service.ts");
  const problem = startProblem(service, env);
  if (problem !== undefined) throw new UsageError(`cannot start: ${problem}; correct that first`);
}

function chosen({ config, specs }: Pick<RunningServices, "config" | "specs">): ServiceConfig[] {
  const names = new Set(specs.map(({ name }) => name));
  return config.services.filter(({ name }) => names.has(name));
}

/** Where contents differ: other files, more of them or fewer. */
function differing(before: FileContents = new Map(), after: FileContents = new Map()): string[] {
  const all = [...new Set([...before.keys(), ...after.keys()])].sort();
  return all.filter((file) => (before.get(file) ?? ABSENT) !== (after.get(file) ?? ABSENT));
}

/** Those that no service runs with: what is as others have it is shared with them. */
function otherThanLoaded(files: FileContents = new Map(), contents: Contents): string[] {
  const loaded = new Map([...contents.values()].flatMap((each) => [...each]));
  return [...files]
    .filter(([file, text]) => text !== ABSENT && loaded.get(file) !== text)
    .map(([file]) => file);
}

/** What each service is made of, as text: its own part of the config, its place among the chosen, and what it inherits. */
function madeFrom({ config, env, specs }: RunningServices): ReadonlyMap<string, string> {
  const byName = new Map(config.services.map((service) => [service.name, service]));
  return new Map(
    specs.map((spec) => [spec.name, JSON.stringify([spec, env, partsOf(byName.get(spec.name))])]),
  );
}

/** Where it stands in the file is no part of it, and costs a second reading to ask for; where requests for it come from neither. */
function partsOf(service: ServiceConfig | undefined): unknown {
  const keys = Object.keys(service ?? {}).filter((key) => key !== "position" && key !== "routes");
  return keys.map((key) => [key, Reflect.get(service ?? {}, key)]);
}

/** What is read once, at the start. */
const FIXED = [
  "runtime",
  "http",
  "control",
  "plane",
  "discovery",
  "intents",
] as const satisfies (keyof Config)[];

function refuseOtherChanges(before: Config, after: Config): void {
  const changed = FIXED.filter((key) => textOf(before[key]) !== textOf(after[key]));
  if (changed.length === 0) return;
  const verb = changed.length === 1 ? "has" : "have";
  throw new UsageError(`${changed.join(", ")} ${verb} changed, which needs a restart of the runtime`);
}

/** Maps as lists of what is in them, which would otherwise be nothing. */
function textOf(part: unknown): string {
  return JSON.stringify(part, (_key, value: unknown) => (value instanceof Map ? [...value] : value)) ?? "";
}
