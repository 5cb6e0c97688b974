// A resolved config as YAML for people to read: every default filled in, every path absolute, every secret hidden. Without secrets
// the text is itself a config that means the same, except that it names the control socket. It prints replicas as the one service
// they are in the file.
import type { Config, LogConfig, ProbeConfig, ServiceConfig } from "./config.ts";
import { discoveryDocument } from "./discovery.ts";
import { writeYaml } from "./document.ts";
import { load, type ConfigSource } from "./load.ts";
import { isMap, type RawMap } from "./path.ts";
import { intentsDocument, planeDocument, storeDocument } from "./print-plane.ts";
import { routeDocument } from "./print-routes.ts";
import { durationText, sizeText } from "./quantities.ts";
import { templateOf } from "./replica-template.ts";
import { isSecretFlag, redact, REDACTED, soundsSecret } from "./secrets.ts";

/** The text for `validate --print`. Throws `ConfigError` as `loadConfig` does. */
export function printConfig(source: ConfigSource): string {
  const { config, secrets } = load(source);
  return writeYaml(documentOf(config, (value) => shown(value, secrets)));
}

/** Goes over whatever may hold a secret. Names of services hold none, however they sound. */
type Hide = (value: unknown) => unknown;

function documentOf(config: Config, hide: Hide): unknown {
  const { runtime, http, control, plane, discovery, intents, services } = config;
  const { name, startup, shutdown, log, exitCodeFrom } = runtime;
  const groups = Map.groupBy(services, ({ group }) => group);
  return {
    runtime: hide({
      name,
      startup: {
        timeout: durationText(startup.timeoutMs),
        concurrency: startup.concurrency === Infinity ? "unlimited" : startup.concurrency,
        onFailure: startup.onFailure,
      },
      shutdown: { budget: durationText(shutdown.budgetMs), drain: durationText(shutdown.drainMs) },
      log: logDocument(log),
      exitCodeFrom,
    }),
    http: http && hide({ host: http.host, port: http.port, idleTimeout: durationText(http.idleTimeoutMs) }),
    control: hide({ socket: control.socket, token: control.token }),
    store: plane && hide(storeDocument(plane.store)),
    plane: plane && planeDocument(plane, hide),
    discovery: discovery && discoveryDocument(discovery, hide),
    intents: intents.length === 0 ? undefined : intentsDocument(intents, hide),
    services: Object.fromEntries(
      [...groups].map(([group, replicas]) => [
        group,
        templateOf(replicas.map((service) => serviceDocument(service, replicas, hide))),
      ]),
    ),
  };
}

function logDocument({ format, level, overflow, ringBytes, file }: LogConfig): RawMap {
  return {
    format,
    level,
    overflow,
    ring: sizeText(ringBytes),
    file: file && { path: file.path, maxSize: sizeText(file.maxBytes), keep: file.keep },
  };
}

function serviceDocument(
  { run, ...service }: ServiceConfig,
  all: readonly ServiceConfig[],
  hide: Hide,
): unknown {
  const { startup, liveness, readiness, restart } = service;
  return {
    ...(hide(runDocument(run, all.length)) as RawMap),
    kind: service.task ? "task" : undefined,
    priority: service.priority,
    dependencies: dependenciesDocument(service, all),
    critical: service.critical,
    replicas: all.length === 1 ? undefined : all.length,
    profiles: hide(service.profiles),
    tenant: service.tenant,
    port: service.port,
    startTimeout: durationText(service.startTimeoutMs),
    stopTimeout: durationText(service.stopTimeoutMs),
    restart: {
      policy: restart.policy,
      backoff: `${durationText(restart.backoff.minMs)}..${durationText(restart.backoff.maxMs)}`,
      limit: `${restart.limit.count}/${durationText(restart.limit.windowMs)}`,
      resetAfter: durationText(restart.resetAfterMs),
    },
    startup: startup && hide(probeDocument(startup)),
    liveness: liveness && hide(probeDocument(liveness)),
    readiness: typeof readiness === "object" ? hide(probeDocument(readiness)) : readiness,
    schedule: service.schedule && hide(service.schedule),
    routes: hide(service.routes.map(routeDocument)),
    watch: hide(service.watch),
  };
}

/** A map; or a list where replicas need others each, which no map can say. */
function dependenciesDocument(
  { dependencies }: Pick<ServiceConfig, "dependencies">,
  all: readonly ServiceConfig[],
): unknown {
  const names = (service: Pick<ServiceConfig, "dependencies">) =>
    service.dependencies.map(({ service: name }) => name);
  const same = all.every((other) => names(other).join(" ") === names({ dependencies }).join(" "));
  if (!same) return names({ dependencies });
  return Object.fromEntries(dependencies.map(({ service, ...details }) => [service, details]));
}

function runDocument(run: ServiceConfig["run"], replicas: number): RawMap {
  if (run.type === "module") {
    const { file, exportName, settings } = run;
    return { entrypoint: exportName === "default" ? file : `${file}#${exportName}`, settings };
  }
  const { type: _, argv, environment, ...rest } = run;
  // Replicas get their number by themselves.
  const { HARAKA_REPLICA: _number, ...given } = environment;
  return { command: argv, environment: replicas === 1 ? environment : given, ...rest };
}

function probeDocument(probe: ProbeConfig): unknown {
  return {
    ...checkDocument(probe),
    interval: durationText(probe.intervalMs),
    timeout: durationText(probe.timeoutMs),
    failureThreshold: probe.failureThreshold,
    successThreshold: probe.successThreshold,
  };
}

function checkDocument(probe: ProbeConfig): RawMap {
  switch (probe.type) {
    case "http":
      return { http: probe.url };
    case "tcp":
      return { tcp: `${probe.host.includes(":") ? `[${probe.host}]` : probe.host}:${probe.port}` };
    case "exec":
      return { exec: probe.argv };
    case "notify":
      return { notify: true };
    case "log":
      return { log: probe.text };
    case "logPattern":
      return { logPattern: probe.pattern };
  }
}

/** Hides secrets, and everything under a name that sounds like one; escapes `$`, so that what is printed would be read as it is. */
function shown(value: unknown, secrets: ReadonlySet<string>, { secret = false } = {}): unknown {
  if (Array.isArray(value)) {
    // What follows a flag as `--password` is its value.
    return value.map((item: unknown, index) =>
      shown(item, secrets, { secret: secret || isSecretFlag(value[index - 1]) }),
    );
  }
  if (isMap(value)) {
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([key, child]) => [key, shown(child, secrets, { secret: secret || soundsSecret(key) })]),
    );
  }
  if (secret && (typeof value === "number" || (typeof value === "string" && value !== ""))) return REDACTED;
  return typeof value === "string" ? redact(value, secrets).replaceAll("$", "$$$$") : value;
}
