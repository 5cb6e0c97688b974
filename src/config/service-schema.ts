// What may stand under a service: a part of the schema in `schema.ts`, and built the same way. What takes more than one key to
// judge is in `service-rules.ts`, not here.
import type * as zod from "zod/mini";
import { routesOf } from "./routes-schema.ts";
import type { Kit } from "./schema-kit.ts";

function probeOf({ z, key, preset, command, filled, hostPort, httpUrl, on, pattern, span, whole }: Kit) {
  return z.strictObject({
    http: key(httpUrl, "Passes when a GET of this URL answers with 200 to 399."),
    tcp: key(hostPort, "Passes when a connection to this `host:port` opens."),
    exec: key(
      command,
      "Passes when this command ends with 0: a list of arguments, or a text that is split at its spaces. It runs in the service's folder, with its variables.",
    ),
    notify: key(
      on,
      "`true`: the process says itself that it is ready, by a newline on its `notificationFd`, else by `READY=1` (sd_notify). As `liveness` a watchdog: it sends `WATCHDOG=1` at least once an interval.",
    ),
    log: key(filled, "Passes once a line of the output contains this text. Not for `liveness`."),
    logPattern: key(
      pattern,
      "Passes once a line of the output matches this JavaScript regular expression. Not for `liveness`.",
    ),
    interval: preset(
      span,
      "1s",
      "How often it is asked. While starting it is asked sooner: after 10ms, 20ms, 40ms and so on; `liveness` is not.",
    ),
    timeout: preset(span, "1s", "How long one answer may take."),
    failureThreshold: preset(
      whole(1, 1000),
      3,
      "So many failures in a row make it fail; one is enough where the service says it itself (`STOPPING=1`, `WATCHDOG=trigger`).",
    ),
    successThreshold: preset(whole(1, 1000), 1, "So many passes in a row make it pass again."),
  });
}

const CONDITIONS = ["started", "ready", "completed"] as const;

function dependencyOf({ z, key, preset, boolean }: Kit) {
  return z.strictObject({
    condition: key(z.enum(CONDITIONS), "What to wait for. Default: `ready`, for tasks `completed`."),
    required: preset(
      boolean,
      true,
      "`false`: wait until the condition holds or the service has failed, then go on.",
    ),
    restart: preset(
      boolean,
      false,
      "`true`: restart this service when the other has come back after a restart.",
    ),
  });
}

/** When a service is started again. `no`, which YAML 1.1 reads as `false`, is Compose's word for `never`. */
function restartOf({ z, preset, oneOrMap, rate, span, spans }: Kit) {
  const policy = z.pipe(
    z.pipe(
      z.transform((value) => (value === false || value === "false" ? "no" : value)),
      z.enum(["never", "no", "on-failure", "always"]),
    ),
    z.transform((word) => (word === "no" ? "never" : word)),
  );
  const details = z.strictObject({
    policy: preset(
      policy,
      "on-failure",
      "`on-failure`: when it ends with another code than 0, by a signal, or fails its `liveness`. `always`: also when it ends with 0. `never`, or `no`.",
    ),
    backoff: preset(
      spans,
      "100ms..10s",
      "`MIN..MAX`: the wait before a restart doubles from MIN to MAX, and a random part of it is waited. The first restart is immediate.",
    ),
    limit: preset(
      rate,
      "10/1m",
      "`COUNT/DURATION`: so many restarts within so long; the next failure is final.",
    ),
    resetAfter: preset(span, "10s", "Once it has been up for so long, the wait begins anew."),
  });
  return oneOrMap(policy, { as: "policy", details });
}

function scheduleOf({ z, key, preset, required, filled, oneOrMap }: Kit) {
  const details = z.strictObject({
    cron: required(
      filled,
      "Five fields (minute, hour, day, month, weekday), six with seconds before them, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
    ),
    timeZone: key(filled, "An IANA name, as `Europe/Berlin`. Default: the machine's."),
    overlap: preset(
      z.enum(["skip", "queue", "replace"]),
      "skip",
      "When it is due while it still runs: leave this run out, run once more afterwards, or stop the running one and start anew.",
    ),
  });
  return oneOrMap(filled, { as: "cron", details });
}

const STOP_SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGABRT",
  "SIGKILL",
] as const;

const FORWARDED_SIGNALS = ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGQUIT", "SIGCONT"] as const;

export function serviceOf(kit: Kit) {
  return kit.z.strictObject({ ...whatOf(kit), ...whenOf(kit), ...processOf(kit) });
}

/** What a service is, and what it is to the others. */
function whatOf(kit: Kit) {
  const { z, key, preset, text, filled, texts, command, boolean, tenant, whole } = kit;
  return {
    command: key(
      command,
      "What a process service runs: a list of arguments, or a text that is split at its spaces. Quotes work in it; a shell is not involved.",
    ),
    entrypoint: key(
      filled,
      "What a module service is: `./file.ts#Name`, the default export without `#Name`.",
    ),
    kind: key(
      z.literal("task"),
      "`task`: a one-shot, done when its process exits with 0 or its module's `startup()` resolves.",
    ),
    settings: key(
      z.unknown(),
      "Handed to the module's constructor; the module may check it with a schema of its own.",
    ),
    priority: preset(kit.number, 0, "Higher starts earlier, where dependencies leave it open."),
    dependencies: preset(
      z.union([texts, z.record(text, z.union([z.enum(CONDITIONS), dependencyOf(kit)]))]),
      [],
      "Services that come first: a list of names, or a map from name to condition or details.",
    ),
    critical: preset(boolean, true, "`false`: its failure degrades the runtime instead of ending it."),
    replicas: preset(
      whole(1, 1000),
      1,
      "How many of it run. More than one are called `NAME-1`, `NAME-2` and so on; `${HARAKA_REPLICA}` is the number, in the values of the service and in the environment of its processes.",
    ),
    tenant: key(tenant, "Who it is on the plane. Default: `default`."),
    port: key(
      whole(1, 65_535),
      "The port that it opens by itself. With it others find the service in the registry; a module with routes is found at `http.port` without it.",
    ),
    routes: preset(routesOf(kit), [], "Public rules that lead to it, for a proxy in front."),
    profiles: preset(texts, [], "Start it only when one of these profiles is asked for. Empty: always."),
  };
}

/** When it starts, is started again, and counts as up. */
function whenOf(kit: Kit) {
  const { z, key, preset, duration, span, filled } = kit;
  const probe = probeOf(kit);
  return {
    startTimeout: preset(
      span,
      "30s",
      "How long it may take until it has started: its process runs, or its module's `startup()` has resolved, and its `startup` probe has passed. For a task: until it is done. Becoming ready after that has no limit of its own; those that depend on it wait at most `runtime.startup.timeout`.",
    ),
    stopTimeout: preset(duration, "5s", "How long it may take to stop before it is killed."),
    restart: preset(
      restartOf(kit),
      "never",
      "When it is started again: a policy, or a map, in which the policy is `on-failure` if it is left out. With `liveness` the default is `on-failure`.",
    ),
    startup: key(probe, "It counts as started once this probe passes."),
    liveness: key(probe, "Once started, it is restarted when this probe fails: see `restart`."),
    readiness: key(
      z.union([z.literal("manual"), probe]),
      "It counts as ready while this probe passes. `manual`: when the module calls `markReady()`. Without it: once started.",
    ),
    schedule: key(
      scheduleOf(kit),
      'A task that runs at its times instead of at the start: a cron text as `"*/5 * * * *"`, or a map. Nothing can depend on it, and its failure ends nothing.',
    ),
    watch: preset(
      z.array(filled),
      [],
      "Globs, relative to the config file, of files that restart it in `haraka dev` when they change.",
    ),
  };
}

/** What only a process has. */
function processOf({ z, key, preset, text, filled, literal, name, boolean, whole }: Kit) {
  return {
    environment: preset(
      z.record(text, literal),
      {},
      "Variables added to the runtime's own environment; they win over `envFile`.",
    ),
    envFile: key(filled, "A file of `NAME=value` lines, relative to the config file."),
    cwd: key(filled, "Working directory, relative to the config file. Default: the runtime's own."),
    user: key(name, "User to run as: name or number."),
    group: key(name, "Group to run as: name or number."),
    shell: preset(boolean, false, "`true`: `command` is one text for `/bin/sh -c`."),
    stdin: preset(
      z.pipe(
        z.transform((value) => value ?? "null"),
        z.enum(["null", "inherit"]),
      ),
      "null",
      "`null`: it reads nothing. `inherit`: it shares the runtime's input.",
    ),
    stopSignal: preset(z.enum(STOP_SIGNALS), "SIGTERM", "The signal that asks it to end."),
    forwardSignals: preset(
      z.array(z.enum(FORWARDED_SIGNALS)),
      [],
      "Signals that the runtime hands on to it. SIGHUP reloads the config, or stops the runtime when its terminal was closed; SIGTERM and SIGINT stop the runtime; so does SIGQUIT where no service is handed it.",
    ),
    notificationFd: key(
      whole(3, 255),
      "The descriptor on which the process writes a newline once it is ready, as under s6. By itself it means `readiness: { notify: true }`.",
    ),
  };
}

export type RawService = zod.output<ReturnType<typeof serviceOf>>;
export type RawProbe = zod.output<ReturnType<typeof probeOf>>;
