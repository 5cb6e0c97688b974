// A resolved config as YAML for people to read: every default filled in, every path absolute, every secret hidden. Without secrets
// the text is itself a config that means the same.
import type { Config, ProbeConfig, ServiceConfig } from "./config.ts";
import { writeYaml } from "./document.ts";
import { load, type ConfigSource } from "./load.ts";
import { isMap, type RawMap } from "./path.ts";
import { redact, REDACTED, soundsSecret } from "./secrets.ts";

/** The text for `validate --print`. Throws `ConfigError` as `loadConfig` does. */
export function printConfig(source: ConfigSource): string {
  const { config, secrets } = load(source);
  return writeYaml(shown(documentOf(config), secrets));
}

function documentOf({ runtime, http, services }: Config): unknown {
  const { name, startup, shutdown, log, exitCodeFrom } = runtime;
  return {
    runtime: {
      name,
      startup: {
        timeout: duration(startup.timeoutMs),
        concurrency: startup.concurrency === Infinity ? "unlimited" : startup.concurrency,
        onFailure: startup.onFailure,
      },
      shutdown: { budget: duration(shutdown.budgetMs), drain: duration(shutdown.drainMs) },
      log,
      exitCodeFrom,
    },
    http: http && { host: http.host, port: http.port, idleTimeout: duration(http.idleTimeoutMs) },
    services: Object.fromEntries(services.map((service) => [service.name, serviceDocument(service)])),
  };
}

function serviceDocument({ run, ...service }: ServiceConfig): unknown {
  return {
    ...(run.type === "module"
      ? {
          entrypoint: `${run.file}${run.exportName === "default" ? "" : `#${run.exportName}`}`,
          settings: run.settings,
        }
      : {
          command: run.argv,
          cwd: run.cwd,
          environment: run.environment,
          user: run.user,
          group: run.group,
          stdin: run.stdin,
          stopSignal: run.stopSignal,
        }),
    kind: service.task ? "task" : undefined,
    priority: service.priority,
    dependencies: Object.fromEntries(
      service.dependencies.map(({ service: name, condition, required }) => [name, { condition, required }]),
    ),
    critical: service.critical,
    profiles: service.profiles,
    startTimeout: duration(service.startTimeoutMs),
    stopTimeout: duration(service.stopTimeoutMs),
    startup: service.startup && probeDocument(service.startup),
    readiness: typeof service.readiness === "object" ? probeDocument(service.readiness) : service.readiness,
  };
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

/** Hides secrets and escapes `$`, so that what is printed would be read as it is. */
function shown(value: unknown, secrets: ReadonlySet<string>, name = ""): unknown {
  if (typeof value === "string") {
    return soundsSecret(name) && value !== "" ? REDACTED : redact(value, secrets).replaceAll("$", "$$$$");
  }
  if (Array.isArray(value)) {
    // What follows a flag as `--password` is its value.
    return value.map((item: unknown, index) => {
      const before: unknown = value[index - 1];
      const flag = typeof before === "string" && /^-[^=]*$/.test(before) ? before : "";
      return shown(item, secrets, flag);
    });
  }
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shown(child, secrets, key)]));
  return value;
}
