// The one description of what may stand in a config file: keys, types, defaults, and what they mean. The parser, the JSON Schema
// and docs/config.md all come from it. It does not import what it is built with: see `accept.ts` for why. What takes more than
// one key to judge is in `services.ts`, not here.
import type * as zod from "zod/mini";
import { scalarsOf, type Zod } from "./scalars.ts";

/** What the parts of the schema are made of. */
type Kit = ReturnType<typeof kitOf>;

function kitOf(z: Zod) {
  /** What is said about a schema beyond its type; goes into the JSON Schema as it is, and from there into the docs. */
  const docs = z.registry<{ [jsonSchemaKeyword: string]: unknown }>();

  function described<T extends zod.ZodMiniType>(schema: T, description: string): T {
    docs.add(schema, { description });
    return schema;
  }

  /** A key that may be left out. */
  function key<T extends zod.ZodMiniType>(schema: T, description: string) {
    return described(z.exactOptional(schema), description);
  }

  /** A key with a default, written as it would be in the file. */
  function preset<T extends zod.ZodMiniType>(schema: T, fallback: zod.input<T>, description: string) {
    return described(z.prefault(schema, fallback), description);
  }

  const scalars = scalarsOf(z);
  const text = z.string();
  const filled = text.check(z.minLength(1));
  const texts = z.array(text);
  const autoDuration = z.union([z.literal("auto"), scalars.duration]);

  /** Text that may be written as a number or boolean, which is then taken as it is written: see `values.ts`. */
  const literal = z.string();
  const name = literal.check(z.minLength(1));
  for (const schema of [literal, name]) docs.add(schema, { type: ["string", "number", "boolean"] });

  return { ...scalars, z, docs, described, key, preset, text, filled, texts, autoDuration, literal, name };
}

function probeOf({ z, key, preset, filled, hostPort, httpUrl, pattern, span, whole }: Kit) {
  return z.strictObject({
    http: key(httpUrl, "Passes when a GET of this URL answers with 200 to 399."),
    tcp: key(hostPort, "Passes when a connection to this `host:port` opens."),
    log: key(filled, "Passes once a line of the output contains this text."),
    logPattern: key(pattern, "Passes once a line of the output matches this JavaScript regular expression."),
    interval: preset(
      span,
      "1s",
      "How often it is asked. While starting it is asked sooner: after 10ms, 20ms, 40ms and so on.",
    ),
    timeout: preset(span, "1s", "How long one answer may take."),
    failureThreshold: preset(whole(1, 1000), 3, "So many failures in a row make it fail."),
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
  });
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

function serviceOf(kit: Kit) {
  const { z, key, preset, text, filled, texts, literal, name, boolean, duration, span } = kit;
  const probe = probeOf(kit);
  return z.strictObject({
    command: key(
      z.union([filled, z.array(literal).check(z.minLength(1))]),
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
    profiles: preset(texts, [], "Start it only when one of these profiles is asked for. Empty: always."),
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
    stopTimeout: preset(duration, "5s", "How long it may take to stop before it is killed."),
    startTimeout: preset(span, "30s", "How long it may take to start and become ready."),
    startup: key(probe, "It counts as started once this probe passes."),
    readiness: key(
      z.union([z.literal("manual"), probe]),
      "It counts as ready while this probe passes. `manual`: when the module calls `markReady()`. Without it: once started.",
    ),
  });
}

function runtimeOf({ z, key, preset, filled, autoDuration, span, whole }: Kit) {
  return z.strictObject({
    name: preset(filled, "haraka", "What this runtime is called in health answers and logs."),
    startup: preset(
      z.strictObject({
        timeout: preset(span, "60s", "How long the whole start may take."),
        concurrency: preset(
          z.union([z.literal("unlimited"), whole(1, 100_000)]),
          "unlimited",
          "How many services may be starting at once.",
        ),
        onFailure: preset(
          z.enum(["rollback", "continue"]),
          "rollback",
          "When a critical service does not start: stop what started and exit with 1, or come up degraded.",
        ),
      }),
      {},
      "Starting.",
    ),
    shutdown: preset(
      z.strictObject({
        budget: preset(
          autoDuration,
          "auto",
          "How long a whole shutdown may take. `auto`: 30s under Kubernetes, else 10s, minus a safety margin.",
        ),
        drain: preset(
          autoDuration,
          "auto",
          "How long to serve on while not ready. `auto`: as long as those who probe readiness need.",
        ),
      }),
      {},
      "Stopping.",
    ),
    log: preset(
      z.strictObject({
        format: preset(
          z.enum(["auto", "pretty", "json"]),
          "auto",
          "`auto`: pretty on a terminal, JSON lines otherwise.",
        ),
        level: preset(
          z.enum(["debug", "info", "warn", "error"]),
          "info",
          "The least severe of the runtime's own records to show.",
        ),
      }),
      {},
      "Records of the runtime and output of its services.",
    ),
    exitCodeFrom: key(filled, "Leave with this service's exit code."),
  });
}

function httpOf({ z, described, preset, filled, duration, whole }: Kit) {
  return z.strictObject({
    host: preset(filled, "0.0.0.0", "Address to listen on."),
    port: described(whole(0, 65_535), "Port to listen on; 0: a free one. Default: `$PORT`, else 8080."),
    idleTimeout: preset(
      duration.check(
        z.maximum(255_000, { error: "expected at most 255s, the most that Bun's server can wait" }),
      ),
      "120s",
      "How long a connection may stay idle. Keep it above the idle timeout of a proxy in front.",
    ),
  });
}

/** The whole document, after files are merged and `${…}` is resolved, and what is said about its parts beyond their types. */
export function schemaOf(z: Zod) {
  const kit = kitOf(z);
  const { key, preset, described } = kit;
  const document = z.strictObject({
    include: key(
      kit.texts,
      "Manifests of single services, relative to this file; `*` works. A manifest holds a service's keys and a `name` (default: its folder's).",
    ),
    runtime: preset(runtimeOf(kit), {}, "The runtime itself."),
    http: described(
      z.union([kit.off, httpOf(kit)]),
      "The HTTP server for health and module routes. `false`: no port is opened.",
    ),
    services: described(z.record(kit.text, serviceOf(kit)), "What to run, by name."),
  });
  return { document, docs: kit.docs };
}

/** Laid under every config: a default that depends on the environment, and an empty list to count. */
export const BUILT_IN = { http: { port: "${PORT:-8080}" }, services: {} };

export type RawDocument = zod.output<ReturnType<typeof schemaOf>["document"]>;
export type RawService = zod.output<ReturnType<typeof serviceOf>>;
export type RawProbe = zod.output<ReturnType<typeof probeOf>>;
