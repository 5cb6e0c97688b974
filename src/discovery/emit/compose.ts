// A Compose file: the runtime with its health check and grace period, Traefik before it where there are routes, and the Redis that the
// config names. Labels for Traefik's Docker provider only where the runtime does not publish its routes itself.
import { traefikConfig } from "../../core/traefik.ts";
import {
  bareHost,
  type Deployment,
  type Emitted,
  entryPointPort,
  entryPointsOf,
  headerOf,
  keepsData,
  portOf,
  redisHosts,
  routers,
  seconds,
  yamlFile,
} from "./deployment.ts";
import { traefikArguments } from "./traefik.ts";

const REDIS_IMAGE = "redis:8";
/** Nothing is lost that was acknowledged, and Traefik hears of every change. */
const REDIS_COMMAND =
  "redis-server --appendonly yes --appendfsync always --maxmemory-policy noeviction --notify-keyspace-events KEA";
const TRAEFIK_IMAGE = "traefik:v3.7";
/** What is added to ports below 1024 on this machine, which are not everybody's. */
const HOST_PORT_BASE = 8_000;

/** As the image has it. */
const DATA = "/data";
const APP = "/app";

export function emitCompose(deployment: Deployment): Emitted {
  const { name, config } = deployment;
  const all = routers(deployment);
  const redis = redisHosts(config);
  const services = {
    [name]: runtimeService(deployment),
    ...Object.fromEntries(redis.map((host) => [host, redisService(host)])),
    ...(all.length > 0 && { traefik: traefikService(deployment) }),
  };
  const keeps = keepsData(deployment);
  const volumes = {
    ...(keeps && { data: {} }),
    ...Object.fromEntries(redis.map((host) => [volumeOf(host), {}])),
  };
  const document = { name, services, volumes: Object.keys(volumes).length > 0 ? volumes : undefined };
  return new Map([["compose.yaml", yamlFile(headerOf("compose"), [document])]]);
}

function runtimeService(deployment: Deployment) {
  const { config, image, replicas, timings, files } = deployment;
  const redis = redisHosts(config);
  const single = files.names.length === 1;
  const flags = files.names.flatMap((file) => ["-c", `${APP}/${file}`]);
  const labels = labelsOf(deployment);
  return {
    image,
    ...(!single && { command: ["run", ...flags] }),
    environment: { ...(single && { HARAKA_CONFIG: `${APP}/${files.names[0]}` }), HARAKA_DATA: DATA },
    volumes: [`${files.folder}:${APP}:ro`, ...(keepsData(deployment) ? [`data:${DATA}`] : [])],
    expose: exposed(deployment),
    ...(redis.length > 0 && {
      depends_on: Object.fromEntries(redis.map((host) => [host, { condition: "service_healthy" }])),
    }),
    deploy: { replicas },
    restart: "unless-stopped",
    stop_signal: "SIGTERM",
    stop_grace_period: seconds(timings.graceMs),
    healthcheck: {
      test: ["CMD", "/haraka", "health", "--ready", ...(single ? [] : flags)],
      // Docker's Traefik does not see a container before its first check has passed.
      interval: "2s",
      timeout: "1s",
      retries: 2,
      start_period: seconds(timings.startMs),
      start_interval: "200ms",
    },
    ...(Object.keys(labels).length > 0 && { labels }),
  };
}

function exposed(deployment: Deployment): string[] {
  const { config } = deployment;
  const ports = routers(deployment).map((router) => portOf(router, config));
  const all = [config.http ? config.http.port : undefined, ...ports];
  return [...new Set(all.filter((port) => port !== undefined))].map(String);
}

/** The routes as labels, with the checks; none where the runtime tells Traefik itself. */
function labelsOf(deployment: Deployment): Record<string, string> {
  const { config, namespace } = deployment;
  const all = routers(deployment).filter((router) => portOf(router, config) !== undefined);
  if (config.discovery?.traefik || all.length === 0) return {};
  const healthPort = config.http ? config.http.port : undefined;
  const servers = all.map((router) => ({
    balancer: router.balancer,
    instance: router.balancer,
    url: `http://container:${portOf(router, config)}`,
    ...(healthPort !== undefined && { healthPort }),
  }));
  const distinct = [...new Map(servers.map((server) => [server.balancer, server])).values()];
  const { routers: told, services } = traefikConfig(
    all.map(({ route }) => route),
    distinct,
    namespace,
  ).http;
  const labels: [string, string][] = [["traefik.enable", "true"]];
  for (const [name, router] of Object.entries(told))
    labels.push(...flat(`traefik.http.routers.${name}`, router));
  for (const [name, service] of Object.entries(services)) {
    if (!("loadBalancer" in service)) continue;
    const { servers: places, ...rest } = service.loadBalancer;
    const path = `traefik.http.services.${name}.loadbalancer`;
    labels.push([`${path}.server.port`, new URL(places[0]?.url ?? "http://container:80").port || "80"]);
    labels.push(...flat(path, rest));
  }
  return Object.fromEntries(labels);
}

/** Lists of texts are one text; what is empty but there is `true`. */
function flat(path: string, value: unknown): [string, string][] {
  // Compose puts variables in for a dollar sign.
  if (Array.isArray(value)) return [[path, value.join(",").replaceAll("$", "$$$$")]];
  if (typeof value !== "object" || value === null)
    return [[path, String(value as string | number | boolean).replaceAll("$", "$$$$")]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[path, "true"]];
  return entries.flatMap(([key, child]) => flat(`${path}.${key.toLowerCase()}`, child));
}

const volumeOf = (redis: string): string => `${redis}-data`;

function redisService(host: string) {
  return {
    image: REDIS_IMAGE,
    command: REDIS_COMMAND.split(" "),
    volumes: [`${volumeOf(host)}:/data`],
    restart: "unless-stopped",
    healthcheck: { test: ["CMD", "redis-cli", "ping"], interval: "1s", timeout: "1s", retries: 30 },
  };
}

function traefikService(deployment: Deployment) {
  const { config } = deployment;
  const names = entryPointsOf(routers(deployment));
  const isDocker = !config.discovery?.traefik;
  return {
    image: TRAEFIK_IMAGE,
    command: traefikArguments(deployment),
    ports: names.map((name) => {
      const target = entryPointPort(name, names);
      return { target, published: target < 1024 ? HOST_PORT_BASE + target : target };
    }),
    ...(isDocker && { volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"] }),
    depends_on: [bareHost(config.discovery?.traefik?.redis?.place) ?? deployment.name],
    restart: "unless-stopped",
  };
}
