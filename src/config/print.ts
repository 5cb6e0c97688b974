// A resolved config as YAML for people to read: every default filled in, every path absolute, every secret hidden. Without secrets
// the text is itself a config that means the same.
import type { Config, ProbeConfig, ServiceConfig } from "./config.ts";
import { writeYaml } from "./document.ts";
import { load, type ConfigSource } from "./load.ts";
import { isMap, type RawMap } from "./path.ts";
import { isSecretFlag, redact, REDACTED, soundsSecret } from "./secrets.ts";

/** The text for `validate --print`. Throws `ConfigError` as `loadConfig` does. */
export function printConfig(source: ConfigSource): string {
  const { config, secrets } = load(source);
  return writeYaml(documentOf(config, (value) => shown(value, secrets)));
}

/** Goes over whatever may hold a secret. Names of services hold none, however they sound. */
type Hide = (value: unknown) => unknown;

function documentOf({ runtime, http, services }: Config, hide: Hide): unknown {
  const { name, startup, shutdown, log, exitCodeFrom } = runtime;
  return {
    runtime: hide({
      name,
      startup: {
        timeout: duration(startup.timeoutMs),
        concurrency: startup.concurrency === Infinity ? "unlimited" : startup.concurrency,
        onFailure: startup.onFailure,
      },
      shutdown: { budget: duration(shutdown.budgetMs), drain: duration(shutdown.drainMs) },
      log,
      exitCodeFrom,
    }),
    http: http && hide({ host: http.host, port: http.port, idleTimeout: duration(http.idleTimeoutMs) }),
    services: Object.fromEntries(services.map((service) => [service.name, serviceDocument(service, hide)])),
  };
}

function serviceDocument({ run, ...service }: ServiceConfig, hide: Hide): unknown {
  const { startup, readiness } = service;
  return {
    ...(hide(runDocument(run)) as RawMap),
    kind: service.task ? "task" : undefined,
    priority: service.priority,
    dependencies: Object.fromEntries(
      service.dependencies.map(({ service: name, condition, required }) => [name, { condition, required }]),
    ),
    critical: service.critical,
    profiles: hide(service.profiles),
    startTimeout: duration(service.startTimeoutMs),
    stopTimeout: duration(service.stopTimeoutMs),
    startup: startup && hide(probeDocument(startup)),
    readiness: typeof readiness === "object" ? hide(probeDocument(readiness)) : readiness,
  };
}

function runDocument(run: ServiceConfig["run"]): RawMap {
  if (run.type === "module") {
    const { file, exportName, settings } = run;
    return { entrypoint: exportName === "default" ? file : `${file}#${exportName}`, settings };
  }
  const { argv, cwd, environment, user, group, stdin, stopSignal } = run;
  return { command: argv, cwd, environment, user, group, stdin, stopSignal };
}

function probeDocument(probe: ProbeConfig): unknown {
  return {
    ...checkDocument(probe),
    interval: duration(probe.intervalMs),
    timeout: duration(probe.timeoutMs),
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
    case "log":
      return { log: probe.text };
    case "logPattern":
      return { logPattern: probe.pattern };
  }
}

function duration(ms: number | "auto"): string {
  if (ms === "auto") return ms;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
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
