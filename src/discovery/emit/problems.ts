// What stands in the way of running a config as it is asked for: sums that do not fit, places that nobody can reach, and files that
// only one can hold. Every reason at once, each with what to do.
import type { Config } from "../../config/config.ts";
import { timingProblems } from "../../core/deployment.ts";
import type { Plan } from "../../core/plan.ts";
import { type Deployment, redisPlaces, redisUrls, routers } from "./deployment.ts";

export type EmitTarget = "compose" | "kubernetes" | "systemd" | "traefik";

const LOOPBACK = /^(localhost|127\.|\[?::1\]?$)/;

export function emitProblems(
  deployment: Deployment,
  { target, plan }: { target: EmitTarget; plan: Plan },
): string[] {
  const { config } = deployment;
  const inContainer = target === "compose" || target === "kubernetes";
  return [
    ...timingProblems({ plan, http: config.http }, deployment.timings),
    ...(config.http && config.http.port === 0
      ? ["http.port 0 is another one at every start, which nobody could be told: set one"]
      : []),
    ...(target === "traefik" && routers(deployment).length === 0
      ? ["there are no routes: add `routes` to a service"]
      : []),
    ...(inContainer ? containerProblems(deployment) : []),
    ...(target === "compose" ? mountProblems(deployment) : []),
    ...(target === "compose" || target === "kubernetes" ? replicaProblems(deployment) : []),
  ];
}

function containerProblems({ config }: Deployment): string[] {
  const { http } = config;
  const problems: string[] = [];
  if (http && LOOPBACK.test(http.host))
    problems.push(`http.host ${http.host} is reached by nobody outside of the container: set 0.0.0.0`);
  for (const [key, place] of redisPlaces(config)) {
    const local = redisUrls(place).find(({ hostname }) => LOOPBACK.test(hostname));
    if (local)
      problems.push(
        `the Redis of ${key}, ${local.host}, is inside of the container: name one that others see, too, as redis://redis:6379`,
      );
  }
  const { traefik } = config.discovery ?? {};
  if (traefik && !traefik.redis && traefik.token === undefined)
    problems.push(
      "at /traefik only this container is served without a token, and Traefik is another one: add discovery.traefik.token",
    );
  return problems;
}

/** What the config names relative to itself, and a container that has only its folder would not find. */
function mountProblems({ config, files: { root } }: Deployment): string[] {
  const modules = config.services.flatMap(({ run }) =>
    run.type === "module" && !run.entrypoint.startsWith("/") ? [run.file] : [],
  );
  const strays = [...config.files, ...modules].filter((file) => !file.startsWith(root.replace(/\/?$/, "/")));
  return [...new Set(strays)].map(
    (file) => `${file} is not below ${root}, which is all that Compose mounts: put it there`,
  );
}

/** Stores that are one runtime's own; through any other, runtimes know of each other. */
const OWN_STORES: readonly string[] = ["memory", "sqlite"];

function isShared({ plane }: Config): boolean {
  return plane !== undefined && !OWN_STORES.includes(plane.store.driver);
}

function replicaProblems(deployment: Deployment): string[] {
  const { replicas, config } = deployment;
  if (replicas === 1) return [];
  const problems: string[] = [];
  const driver = config.plane?.store.driver;
  if (driver === "sqlite")
    problems.push(
      `one runtime holds the sqlite store, and there are to be ${replicas}: use \`driver: redis\``,
    );
  if (driver === "memory")
    problems.push(
      `each of the ${replicas} runtimes would have a memory store of its own: use \`driver: redis\``,
    );
  const traefik = config.discovery?.traefik;
  if (traefik && !traefik.redis && !isShared(config))
    problems.push(
      `at /traefik each of the ${replicas} runtimes tells of itself only, and Traefik asks one of them: add discovery.traefik.redis`,
    );
  return problems;
}
