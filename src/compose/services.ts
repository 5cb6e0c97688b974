// The services of a config made whole: which of them to run, and each with its launcher, probes and schedule. What another reading
// of the config makes of them is next door in `next-services.ts`.
import type { Config, ModuleConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import { didYouMean } from "../config/did-you-mean.ts";
import { select } from "../core/graph.ts";
import type { ServiceSpec } from "../core/spec.ts";
import { loadEntrypoint } from "../drivers/entrypoint.ts";
import { UsageError } from "../errors.ts";
import type { Output } from "../ports/log.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import { type ModuleContext, moduleService } from "./module-service.ts";
import { probesOf, processService } from "./process-service.ts";
import { provideLibrary } from "./provide-library.ts";
import { specOf } from "./read-config.ts";
import type { ServiceFiles } from "./service-files.ts";

export interface ServicesContext {
  /** Run these and what they need; empty: all that no profile holds back. */
  names: readonly string[];
  profiles: readonly string[];
  /** What the processes inherit. */
  env: Readonly<Record<string, string | undefined>>;
  output: Output;
  modules: ModuleContext;
  files: ServiceFiles;
}

/** What runs of a config. */
export interface RunningServices {
  config: Config;
  /** What the processes inherit. */
  env: ServicesContext["env"];
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
  if (config.services.some(isModule)) {
    await provideLibrary();
    await context.files.prepare();
  }
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const services = [];
  for (const spec of specs) {
    const service = byName.get(spec.name);
    if (!service) throw new Error(`internal: no config for '${spec.name}'`);
    services.push(await createService(service, spec, context));
  }
  return { config, env: context.env, specs, services };
}

async function createService(
  service: ServiceConfig,
  spec: ServiceSpec,
  context: ServicesContext,
): Promise<SupervisedService> {
  const made = isProcess(service)
    ? processService(service, spec, context)
    : moduleFromDisk(service, spec, context);
  if (!service.schedule) return made;
  const { cronSchedule } = await import("../drivers/cron.ts");
  return { ...made, schedule: cronSchedule(service.schedule) };
}

function isProcess(service: ServiceConfig): service is ServiceConfig & { run: ProcessConfig } {
  return service.run.type === "process";
}

export function isModule(service: ServiceConfig): service is ServiceConfig & { run: ModuleConfig } {
  return service.run.type === "module";
}

function moduleFromDisk(
  service: ServiceConfig,
  spec: ServiceSpec,
  { modules, files }: ServicesContext,
): SupervisedService {
  if (!isModule(service)) throw new Error(`internal: '${service.name}' is no module`);
  const { readers: _, ...probes } = probesOf(service);
  const load = async () => {
    try {
      return await loadEntrypoint(service.name, service.run);
    } catch (error) {
      // A restart is to try it anew, and an import that has failed is remembered as such.
      await files.forgetFailure(service.run.file);
      throw error;
    }
  };
  return { ...moduleService(spec, load, modules), ...probes };
}
