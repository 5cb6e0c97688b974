// The one description of what may stand in a config file: keys, types, defaults, and what they mean. The parser, the JSON Schema
// and docs/config.md all come from it. It does not import what it is built with: see `accept.ts` for why. Services have a file of
// their own; what takes more than one key to judge is in `services.ts` and `service-rules.ts`.
import type * as zod from "zod/mini";
import { discoveryOf } from "./discovery-schema.ts";
import { intentOf } from "./intents-schema.ts";
import { planeOf, storeOf } from "./plane-schema.ts";
import { kitOf, type Kit } from "./schema-kit.ts";
import type { Zod } from "./scalars.ts";
import { serviceOf } from "./service-schema.ts";

function runtimeOf(kit: Kit) {
  const { z, key, preset, filled, autoDuration, span, whole } = kit;
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
          "How long a whole shutdown may take. `auto`: 30s under Kubernetes, else 10s, minus a safety margin; 14s where Traefik polls for routes.",
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
    log: preset(logOf(kit), {}, "Records of the runtime and output of its services."),
    exitCodeFrom: key(filled, "Leave with this service's exit code."),
  });
}

function logOf({ z, required, key, preset, filled, oneOrMap, size, whole }: Kit) {
  const file = z.strictObject({
    path: required(filled, "Where, relative to the state folder."),
    maxSize: preset(size("1024GiB"), "10MiB", "It is turned over when it has grown to this."),
    keep: preset(whole(0, 1000), 5, "How many old ones stay."),
  });
  return z.strictObject({
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
    overflow: preset(
      z.enum(["pause", "drop"]),
      "pause",
      "When nobody reads the output: `pause` the services until somebody does, or `drop` lines and say how many.",
    ),
    ring: preset(
      size("1GiB"),
      "256KiB",
      "How much of each service's output is kept in memory for `haraka logs`.",
    ),
    file: key(
      oneOrMap(filled, { as: "path", details: file }),
      "Write everything to this file, too: a path, or a map.",
    ),
  });
}

function controlOf({ z, preset, filled, literal, off }: Kit) {
  return z.strictObject({
    socket: preset(
      z.union([off, filled]),
      "haraka.sock",
      "The Unix socket for `haraka status` and the like, relative to the state folder. `false`: none. One that is named must open; the default is gone without, with a warning.",
    ),
    token: preset(
      literal,
      "",
      "Who has it as `Authorization: Bearer TOKEN` has control over TCP, too. Empty: nobody.",
    ),
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
    control: preset(controlOf(kit), {}, "How the runtime is asked and told what to do while it runs."),
    store: key(storeOf(kit), "Where the plane keeps what must survive. By itself it means `plane: {}`."),
    plane: key(
      planeOf(kit),
      "Sessions, state, intents and sagas over HTTP and in modules. Without it and without `store`: none of that.",
    ),
    discovery: key(
      discoveryOf(kit),
      "How services find each other, and how Traefik finds them. Without it and without a plane: they do not.",
    ),
    intents: key(
      z.record(kit.text, intentOf(kit)),
      "What can be submitted to the plane and is carried out by HTTP calls, by type, as `order.place`.",
    ),
    services: described(z.record(kit.text, serviceOf(kit)), "What to run, by name."),
  });
  return { document, docs: kit.docs };
}

/** Laid under every config: a default that depends on the environment, and an empty list to count. */
export const BUILT_IN = { http: { port: "${PORT:-8080}" }, services: {} };

export type RawDocument = zod.output<ReturnType<typeof schemaOf>["document"]>;
