// The services of a config made whole: which of them to run, and each with its launcher, probes and schedule. What another reading
// of the config makes of them is next door in `next-services.ts`.
import type { Config, ModuleConfig, ProbeConfig, ProcessConfig, ServiceConfig } from "../config/config.ts";
import { didYouMean } from "../config/did-you-mean.ts";
import { timesOf } from "../config/schedule.ts";
import { select } from "../core/graph.ts";
import type { ServiceSpec } from "../core/spec.ts";
import type { Descendants } from "../drivers/linux/descendants.ts";
import { loadEntrypoint } from "../drivers/entrypoint.ts";
import { UsageError } from "../errors.ts";
import type { ServiceLike } from "../ports/service.ts";
import type { SupervisedService } from "../runtime/effects.ts";
import { type ModuleContext, moduleService } from "./module-service.ts";
import type { ProcessContext } from "./process-service.ts";
import { provideLibrary } from "./provide-library.ts";
import { specOf } from "./read-config.ts";
import type { ServiceFiles } from "./service-files.ts";

export interface ServicesContext {
  /** Run these and what they need; empty: all that no profile holds back. */
  names: readonly string[];
  profiles: readonly string[];
  modules: ModuleContext;
  /** What the processes inherit. */
  env: Readonly<Record<string, string | undefined>>;
  processes: SharedByProcesses;
  /** Finds what processes leave behind; asked when a config has some, or commands as probes. */
  descendants: () => Promise<Descendants>;
  files: ServiceFiles;
  /** The same, and it is looked after wherever it is; absent: as it is. */
  tracked?: ((service: ServiceConfig, made: SupervisedService) => SupervisedService) | undefined;
}

/** What the processes of a run share, through all reloads. */
export type SharedByProcesses = Pick<ProcessContext, "log" | "output" | "credentials"> &
  Partial<Pick<ProcessContext, "sockets">>;

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
  const known = [...new Set(config.services.flatMap((service) => service.profiles))];
  const strange = profiles.find((profile) => !known.includes(profile));
  if (strange !== undefined) {
    const others = known.length === 0 ? "" : `; there is ${known.join(", ")}`;
    const hint = didYouMean(strange, known) || others;
    throw new UsageError(`cannot start the profile '${strange}': no service has it${hint}`);
  }
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
    await context.modules.output?.open();
    await provideLibrary();
    await context.files.prepare();
  }
  const processes = await processesOf(config, context);
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const services = specs.map((spec) => {
    const service = byName.get(spec.name);
    if (!service) throw new Error(`internal: no config for '${spec.name}'`);
    return createService(service, spec, { ...context, processes });
  });
  return { config, env: context.env, specs, services };
}

type ServiceContext = Pick<ServicesContext, "modules" | "files" | "tracked"> & {
  /** Absent: no service is a process or has a probe. */
  processes: ProcessMaker | undefined;
};

interface ProcessMaker {
  processOf(service: ServiceConfig & { run: ProcessConfig }, spec: ServiceSpec): SupervisedService;
  /** Those of a service that is none. */
  probesOf(service: ServiceConfig): Pick<SupervisedService, "startup" | "liveness" | "readiness">;
}

/** Loaded for the first config that asks for it: a start of modules alone need not wait for that. */
async function processesOf(
  config: Config,
  { processes, env, descendants }: ServicesContext,
): Promise<ProcessMaker | undefined> {
  if (!config.services.some((service) => isProcess(service) || probeConfigs(service).length > 0))
    return undefined;
  const { probesOf, processContext, processService, processSockets } = await import("./process-service.ts");
  processes.sockets ??= processSockets(processes.log);
  const ofProcesses = config.services.some(startsProcesses) ? { descendants: await descendants() } : {};
  const context = processContext({ ...processes, ...ofProcesses, env });
  return {
    processOf: (service, spec) => processService(service, spec, context),
    probesOf(service) {
      const { audience: _, ...probes } = probesOf(service, context);
      return probes;
    },
  };
}

function createService(
  service: ServiceConfig,
  spec: ServiceSpec,
  context: ServiceContext,
): SupervisedService {
  const bare = isProcess(service)
    ? context.processes?.processOf(service, spec)
    : moduleFromDisk(service, spec, context);
  if (!bare) throw new Error(`internal: nothing makes the process of '${service.name}'`);
  const made = context.tracked?.(service, bare) ?? bare;
  if (!service.schedule) return made;
  return { ...made, schedule: timesOf(service.schedule) };
}

export function isProcess(service: ServiceConfig): service is ServiceConfig & { run: ProcessConfig } {
  return service.run.type === "process";
}

/** A module may have a probe that is a command. */
function startsProcesses(service: ServiceConfig): boolean {
  return isProcess(service) || probeConfigs(service).some((probe) => probe.type === "exec");
}

function probeConfigs({ startup, liveness, readiness }: ServiceConfig): ProbeConfig[] {
  return [startup, liveness, readiness].filter((probe) => probe !== undefined && probe !== "manual");
}

export function isModule(service: ServiceConfig): service is ServiceConfig & { run: ModuleConfig } {
  return service.run.type === "module";
}

/** A new instance; what its code says meanwhile is its own. */
export function loadModule(
  { name, run }: ServiceConfig & { run: ModuleConfig },
  { output }: ModuleContext,
): Promise<ServiceLike> {
  const load = () => loadEntrypoint(name, run);
  return output ? output.importing(name, { file: run.file, load }) : load();
}

function moduleFromDisk(
  service: ServiceConfig,
  spec: ServiceSpec,
  { modules, files, processes }: ServiceContext,
): SupervisedService {
  if (!isModule(service)) throw new Error(`internal: '${service.name}' is no module`);
  const load = async () => {
    try {
      return await loadModule(service, modules);
    } catch (error) {
      // A restart is to try it anew, and an import that has failed is remembered as such.
      await files.forgetFailure(service.run.file);
      throw error;
    }
  };
  return {
    ...moduleService(spec, load, { ...modules, tenant: service.tenant }),
    ...processes?.probesOf(service),
  };
}
