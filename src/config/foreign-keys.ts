// What people write who come from Compose, process-compose, Kubernetes or systemd, and what it is called here. For these an edit
// distance would only mislead.

const AS_RESTART = "as `restart: { policy: on-failure, backoff: 100ms..10s, limit: 10/1m }`";
const SOON =
  "leave it out: `startup` is asked from the beginning and may fail for as long as `startTimeout`, the others are asked once it has started";

/** Keys from elsewhere, and the advice that goes into the message. */
const TRANSLATIONS: Record<string, string> = {
  depends_on: "use `dependencies`",
  dependsOn: "use `dependencies`",
  after: "use `dependencies`",
  requires: "use `dependencies`",
  healthcheck:
    "use `readiness`, as `readiness: { http: URL }`, `{ tcp: host:port }` or `{ exec: [COMMAND] }`",
  readiness_probe: "use `readiness`",
  readinessProbe: "use `readiness`",
  startup_probe: "use `startup`",
  startupProbe: "use `startup`",
  liveness_probe: "use `liveness`",
  livenessProbe: "use `liveness`",
  availability: `use \`restart\`, ${AS_RESTART}`,
  restart_policy: `use \`restart\`, ${AS_RESTART}`,
  restartPolicy: `use \`restart\`, ${AS_RESTART}`,
  Restart: `use \`restart\`, ${AS_RESTART}`,
  RestartSec: "use `restart: { backoff: MIN..MAX }`",
  backoff_seconds: "use `backoff: MIN..MAX`",
  max_restarts: "use `limit: COUNT/DURATION`",
  max_attempts: "use `limit: COUNT/DURATION`",
  autorestart: "use `restart`: `always`, `on-failure` or `never`",
  startretries: "use `restart: { limit: COUNT/DURATION }`",
  startsecs: "use `startup`, a probe: living for a while is not being up",
  autostart: "leave it out; for what is not always wanted there is `profiles`",
  numprocs: "use `replicas`",
  deploy: "use `replicas`",
  scale: "use `replicas`",
  stop_grace_period: "use `stopTimeout`",
  terminationGracePeriodSeconds: "use `stopTimeout`",
  stopwaitsecs: "use `stopTimeout`",
  stop_signal: "use `stopSignal`",
  stopsignal: "use `stopSignal`",
  env_file: "use `envFile`",
  environment_file: "use `envFile`",
  env: "use `environment`, a map",
  working_dir: "use `cwd`",
  workingDir: "use `cwd`",
  directory: "use `cwd`",
  WorkingDirectory: "use `cwd`",
  ExecStart: "use `command`",
  args: "put the arguments into `command`, a list",
  image: "services run in this container: use `command` for a process, `entrypoint` for a module",
  build: "services run in this container: use `command` for a process, `entrypoint` for a module",
  container_name: "the key under `services` is the name",
  labels: "use `routes`; `haraka emit compose` makes labels of them",
  ports: "services open their own ports; the runtime's is `http.port`",
  volumes: "services see this container's files; there is nothing to mount",
  cron: "use `schedule`",
  develop: "use `watch`",
  is_oneshot: "use `kind: task`",
  oneshot: "use `kind: task`",
  httpGet: "use `http: URL`",
  http_get: "use `http: URL`",
  tcpSocket: 'use `tcp: "host:port"`',
  test: "use `exec`, `http: URL` or `tcp: host:port`",
  periodSeconds: "use `interval`, a duration",
  period_seconds: "use `interval`, a duration",
  timeoutSeconds: "use `timeout`, a duration",
  timeout_seconds: "use `timeout`, a duration",
  initialDelaySeconds: SOON,
  initial_delay_seconds: SOON,
  start_period: SOON,
  retries: "use `failureThreshold`",
  failure_threshold: "use `failureThreshold`",
  success_threshold: "use `successThreshold`",
  processes: "use `services`",
  version: "leave it out: there is one version of this format",
  /** In an included file. */
  services: "an included file is the manifest of one service; give whole configs with several -c",
};

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
  "unless-stopped": "use `always`",
  on_failure: "use `on-failure`",
  OnFailure: "use `on-failure`",
  unexpected: "use `on-failure`",
  exit_on_failure: "use `never`: the end of a critical service ends the runtime",
  SIGHUP: "the runtime itself reloads at it",
  SIGTERM: "the runtime itself stops at it, and stops its services with their `stopSignal`",
  SIGINT: "the runtime itself stops at it, and stops its services with their `stopSignal`",
  oneshot: "use `task`",
  process: "leave it out: `command` makes it a process",
  module: "leave it out: `entrypoint` makes it a module",
};

/** What to do about a key that the schema does not know, or `undefined`. */
export function adviceForKey(key: string): string | undefined {
  return Object.hasOwn(TRANSLATIONS, key) ? TRANSLATIONS[key] : undefined;
}

/** What to do about a value that the schema does not know, or `undefined`. */
export function adviceForValue(value: string): string | undefined {
  const [, retries] = /^on-failure:(\d+)$/.exec(value) ?? [];
  if (retries !== undefined) return `use \`{ policy: on-failure, limit: ${retries}/1m }\``;
  return Object.hasOwn(TRANSLATED_VALUES, value) ? TRANSLATED_VALUES[value] : undefined;
}
