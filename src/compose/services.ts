// The services of a config made whole: which of them to run, and each with its launcher, probes and schedule. Another reading of
// the config takes over what has not changed, so that what runs goes on.
import type { Config, ModuleConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import { didYouMean } from "../config/did-you-mean.ts";
import { timesOf } from "../config/schedule.ts";
import { select } from "../core/graph.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { loadEntrypoint } from "../drivers/entrypoint.ts";
import { UsageError } from "../errors.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import type { NextServices } from "../runtime/operator.ts";
import { type ModuleContext, moduleService } from "./module-service.ts";
import { type ProcessContext, probesOf, processService } from "./process-service.ts";
import { provideLibrary } from "./provide-library.ts";
import { specOf } from "./read-config.ts";

export interface ServicesContext {
  /** Run these and what they need; empty: all that no profile holds back. */
  names: readonly string[];
  profiles: readonly string[];
  modules: ModuleContext;
  processes: ProcessContext;
}

/** What runs of a config. */
export interface RunningServices {
  config: Config;
  specs: readonly ServiceSpec[];
  services: readonly SupervisedService[];
}

/** The specs of the services to run, with all they need. Throws `UsageError` for a name that is no service. */
export function chosenSpecs(
  config: Config,
  { names, profiles }: Pick<ServicesContext, "names" | "profiles">,
): ServiceSpec[] {
  const all = [...new Set(config.services.flatMap(({ name, group }) => [group, name]))];
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`cannot run '${unknown}': no such service${didYouMean(unknown, all)}`);
  const isNamed = ({ name, group }: ServiceConfig) => names.includes(name) || names.includes(group);
  const isAskedFor = (service: ServiceConfig) =>
    service.profiles.some((profile) => profiles.includes(profile));
  const wanted = config.services.filter(
    (service) => isAskedFor(service) || (names.length > 0 ? isNamed(service) : service.profiles.length === 0),
  );
  if (wanted.length === 0)
    throw new UsageError("nothing to run: every service has a profile; name one with --profile");
  return select(
    config.services.map(specOf),
    wanted.map(({ name }) => name),
  );
}

/** Everything new. */
export async function createServices(
  config: Config,
  specs: readonly ServiceSpec[],
  context: ServicesContext,
): Promise<RunningServices> {
  if (config.services.some(isModule)) await provideLibrary();
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const services = specs.map((spec) => {
    const service = byName.get(spec.name);
    if (!service) throw new Error(`internal: no config for '${spec.name}'`);
    return createService(service, spec, context);
  });
  return { config, specs, services };
}

/**
 * The services of another reading, those that are as they were taken over. Throws `UsageError` where more than services has
 * changed.
 */
export async function nextServices(
  running: RunningServices,
  config: Config,
  context: ServicesContext,
): Promise<NextServices & { running: RunningServices }> {
  refuseOtherChanges(running.config, config);
  const specs = chosenSpecs(config, context);
  const next = await createServices(config, specs, context);
  const names = specs.map(({ name }) => name);
  const [before, after] = [madeFrom(running), madeFrom(next)];
  const isSame = (name: string) => before.get(name) === after.get(name);
  const known = new Map(running.services.map((service) => [service.spec.name, service]));
  const services = next.services.map((service) => {
    const present = known.get(service.spec.name);
    return present && isSame(service.spec.name) ? present : service;
  });
  return {
    services,
    added: names.filter((name) => !known.has(name)),
    changed: names.filter((name) => known.has(name) && !isSame(name)),
    removed: [...known.keys()].filter((name) => !names.includes(name)),
    running: { ...next, services },
  };
}

function createService(
  service: ServiceConfig,
  spec: ServiceSpec,
  context: ServicesContext,
): SupervisedService {
  const made = isProcess(service)
    ? processService(service, spec, context.processes)
    : moduleFromDisk(service, spec, context);
  if (!service.schedule) return made;
  return { ...made, schedule: timesOf(service.schedule) };
}

function isProcess(service: ServiceConfig): service is ServiceConfig & { run: ProcessConfig } {
  return service.run.type === "process";
}

function isModule(service: ServiceConfig): service is ServiceConfig & { run: ModuleConfig } {
  return service.run.type === "module";
}

function moduleFromDisk(
  service: ServiceConfig,
  spec: ServiceSpec,
  { modules, processes }: ServicesContext,
): SupervisedService {
  if (!isModule(service)) throw new Error(`internal: '${service.name}' is no module`);
  const { audience: _, ...probes } = probesOf(service, processes);
  return { ...moduleService(spec, () => loadEntrypoint(service.name, service.run), modules), ...probes };
}

/** What each service is made of, as text: its own part of the config, and its place among the chosen. */
function madeFrom({ config, specs }: RunningServices): ReadonlyMap<string, string> {
  const byName = new Map(config.services.map((service) => [service.name, service]));
  return new Map(specs.map((spec) => [spec.name, JSON.stringify([spec, partsOf(byName.get(spec.name))])]));
}

/** Where it stands in the file is no part of it, and costs a second reading to ask for. */
function partsOf(service: ServiceConfig | undefined): unknown {
  const keys = Object.keys(service ?? {}).filter((key) => key !== "position");
  return keys.map((key) => [key, Reflect.get(service ?? {}, key)]);
}

/** What is read once, at the start. */
const FIXED = ["runtime", "http", "control"] as const satisfies (keyof Config)[];

function refuseOtherChanges(before: Config, after: Config): void {
  const changed = FIXED.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  if (changed.length === 0) return;
  const verb = changed.length === 1 ? "has" : "have";
  throw new UsageError(
    `cannot reload: ${changed.join(", ")} ${verb} changed, which needs a restart of the runtime; nothing was changed`,
  );
}
