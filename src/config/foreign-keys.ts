// What people write who come from Compose, process-compose, Kubernetes or systemd, and what it is called here; and the keys of
// this runtime that this version does not have yet. For these an edit distance would only mislead.

/** Keys from elsewhere, and the advice that goes into the message. */
const TRANSLATIONS: Record<string, string> = {
  depends_on: "use `dependencies`",
  dependsOn: "use `dependencies`",
  after: "use `dependencies`",
  requires: "use `dependencies`",
  healthcheck: "use `readiness`, as `readiness: { http: URL }` or `{ tcp: host:port }`",
  readiness_probe: "use `readiness`",
  readinessProbe: "use `readiness`",
  startup_probe: "use `startup`",
  startupProbe: "use `startup`",
  stop_grace_period: "use `stopTimeout`",
  terminationGracePeriodSeconds: "use `stopTimeout`",
  stop_signal: "use `stopSignal`",
  env_file: "use `envFile`",
  environment_file: "use `envFile`",
  env: "use `environment`, a map",
  working_dir: "use `cwd`",
  workingDir: "use `cwd`",
  args: "put the arguments into `command`, a list",
  image: "services run in this container: use `command` for a process, `entrypoint` for a module",
  build: "services run in this container: use `command` for a process, `entrypoint` for a module",
  container_name: "the key under `services` is the name",
  ports: "services open their own ports; the runtime's is `http.port`",
  volumes: "services see this container's files; there is nothing to mount",
  is_oneshot: "use `kind: task`",
  oneshot: "use `kind: task`",
  httpGet: "use `http: URL`",
  http_get: "use `http: URL`",
  tcpSocket: 'use `tcp: "host:port"`',
  test: "use `http: URL` or `tcp: host:port`",
  periodSeconds: "use `interval`, a duration",
  period_seconds: "use `interval`, a duration",
  timeoutSeconds: "use `timeout`, a duration",
  timeout_seconds: "use `timeout`, a duration",
  retries: "use `failureThreshold`",
  failure_threshold: "use `failureThreshold`",
  success_threshold: "use `successThreshold`",
  processes: "use `services`",
  version: "leave it out: there is one version of this format",
  /** In an included file. */
  services: "an included file is the manifest of one service; give whole configs with several -c",
};

const LATER_KEYS = new Set(
  "restart replicas liveness schedule watch routes notificationFd exec notify tenant control store plane discovery intents".split(
    " ",
  ),
);

const FOREIGN_LIVENESS = new Set(["liveness_probe", "livenessProbe"]);

/** Words from elsewhere that stand as values. */
const TRANSLATED_VALUES: Record<string, string> = {
  service_healthy: "use `ready`",
  process_healthy: "use `ready`",
  service_started: "use `started`",
  process_started: "use `started`",
  service_completed_successfully: "use `completed`",
  process_completed_successfully: "use `completed`",
  process_completed: "use `completed`",
  healthy: "use `ready`",
  oneshot: "use `task`",
  process: "leave it out: `command` makes it a process",
  module: "leave it out: `entrypoint` makes it a module",
};

/** What to do about a key that the schema does not know, or `undefined`. */
export function adviceForKey(key: string, value: unknown): string | undefined {
  if (key === "restart" && typeof value === "string" && value !== "") {
    return value === "unless-stopped" || value === "always"
      ? `\`restart: ${value}\` is \`restart: { policy: always }\` here, which this version does not have yet`
      : "this version does not have it yet: services are not restarted";
  }
  if (FOREIGN_LIVENESS.has(key)) return "it is `liveness` here, which this version does not have yet";
  if (LATER_KEYS.has(key)) return "this version does not have it yet";
  return Object.hasOwn(TRANSLATIONS, key) ? TRANSLATIONS[key] : undefined;
}

/** What to do about a value that the schema does not know, or `undefined`. */
export function adviceForValue(value: string): string | undefined {
  return Object.hasOwn(TRANSLATED_VALUES, value) ? TRANSLATED_VALUES[value] : undefined;
}
