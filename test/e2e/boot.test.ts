// From config to ready and back: every config that is shipped boots, services start in order and stop in reverse, tasks end,
// and what was asked for by name or profile is what runs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, before } from "node:test";
import { installDebian } from "./support/debian.ts";
import { freePort } from "./support/ports.ts";
import { root } from "./support/binary.ts";
import { haraka, start } from "./support/runtime.ts";

/** A process service that does nothing until it is told to end. */
const IDLE = 'command: [sleep, "1000"]';

/** A stack is a folder with a `runtime.yaml`, or a file beside the folder of what belongs to it. */
const EXAMPLES = globSync("config/examples/{*/runtime.yaml,*.yaml}", { cwd: root });
/** What the examples listen on. */
const PORTS = ["PORT", "BACKEND_PORT", "BANK_PORT", "COURIER_PORT"];

let data = "";
before(() => {
  data = mkdtempSync(join(tmpdir(), "haraka-boot-"));
  if (spawnSync("python3", ["--version"]).error !== undefined) installDebian(["python3"]);
});

after(() => rmSync(data, { recursive: true, force: true }));

test("the README counts the examples right", () => {
  const words = ["four", "five", "six", "seven", "eight"];
  const readme = readFileSync(join(root, "README.md"), "utf8");
  assert.equal(words.indexOf(/has (\w+) stacks/.exec(readme)?.[1] ?? "") + 4, EXAMPLES.length);
});

for (const file of ["config/runtime.yaml", ...EXAMPLES]) {
  test(`${file} boots to ready and ends with 0 on SIGTERM`, async () => {
    const ports = await Promise.all(PORTS.map(async (name) => [name, String(await freePort())]));
    const env: Record<string, string> = { ...Object.fromEntries(ports), HARAKA_DATA: data };
    const config = join(root, file);
    await using runtime = start({ args: ["run", "-c", config], cwd: dirname(config), env });
    await runtime.started();
    const ready = await runtime.until("/health/ready", 200);
    assert.deepEqual(await ready.json(), { status: "ready" });
    const health = await runtime.get("/health");
    assert.equal(health.status, 200);
    const { code, stderr } = await runtime.stop();
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  });
}

test("services start in the order of dependencies and priority and stop in reverse", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  last: { ${IDLE}, dependencies: [middle] }
  slack: { ${IDLE}, priority: -1 }
  first: { command: "sh -c 'echo up; exec sleep 1000'", readiness: { log: up } }
  middle: { ${IDLE}, dependencies: { first: ready } }
`,
    },
  });
  await runtime.started();
  assert.deepEqual(runtime.whoBecame("ready"), ["first", "middle", "last", "slack"]);
  assert.equal((await runtime.stop()).code, 0);
  assert.deepEqual(runtime.whoBecame("stopped"), ["slack", "last", "middle", "first"]);
});

test("a task completes before its dependents start", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  app: { command: "sh -c 'cat built; exec sleep 1000'", cwd: ., dependencies: [build] }
  build: { kind: task, command: "sh -c 'echo done > built'", cwd: . }
`,
    },
  });
  await runtime.record("app", "done");
  assert.deepEqual(runtime.whoBecame("completed"), ["build"]);
  assert.equal((await runtime.stop()).code, 0);
});

test("a config of tasks alone ends with 0 when all have completed", async () => {
  const { code, stderr } = await haraka({
    files: {
      "runtime.yaml": `
services:
  one: { kind: task, command: ["true"] }
  two: { kind: task, entrypoint: ./two.ts, dependencies: [one] }
`,
      "two.ts": "export default { startup() {} };",
    },
  });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

test("readiness is 503 and names what blocks it until the services are ready", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
services:
  slow: { entrypoint: ./slow.ts }
  fast: { ${IDLE}, dependencies: [slow] }
`,
      "slow.ts": `
import { once } from "node:events";
export default {
  async startup() {
    const signalled = once(process, "SIGUSR1");
    this.runtime.log.info("waiting");
    await signalled;
  },
};`,
    },
  });
  await runtime.record("slow", "waiting");
  const ready = await runtime.get("/health/ready");
  const { status, blockedBy } = (await ready.json()) as { status: string; blockedBy: { service: string }[] };
  assert.equal(ready.status, 503);
  assert.equal(status, "not_ready");
  assert.deepEqual(
    blockedBy.map(({ service }) => service),
    ["runtime", "slow", "fast"],
  );
  assert.equal((await runtime.get("/health/startup")).status, 503);
  assert.equal((await runtime.get("/health/live")).status, 200);
  runtime.signal("SIGUSR1");
  await runtime.started();
  for (const path of ["/health/ready", "/readyz", "/health/startup", "/startupz", "/livez", "/health"]) {
    assert.equal((await runtime.get(path)).status, 200, path);
  }
});

test("http: false opens no port", async () => {
  await using runtime = start({ files: { "runtime.yaml": `http: false\nservices: { one: { ${IDLE} } }` } });
  await runtime.started();
  assert.ok(!runtime.lines.some((line) => line.includes("listening")), runtime.lines.join("\n"));
  assert.equal((await runtime.stop()).code, 0);
});

test("run NAME starts that service and what it needs", async () => {
  const files = {
    "runtime.yaml": `
services:
  db: { ${IDLE} }
  api: { ${IDLE}, dependencies: [db] }
  other: { ${IDLE} }
`,
  };
  await using runtime = start({ args: ["run", "api"], files });
  await runtime.started();
  assert.deepEqual(runtime.whoBecame("ready"), ["db", "api"]);
  assert.deepEqual(Object.keys(await components(runtime)), ["db", "api"]);
  const unknown = await haraka({ args: ["run", "apo"], cwd: runtime.folder });
  assert.equal(unknown.code, 2);
  assert.equal(unknown.stderr, "haraka: cannot run 'apo': no such service; did you mean \"api\"?\n");
});

test("--profile adds the services of that profile", async () => {
  const files = {
    "runtime.yaml": `
services:
  db: { ${IDLE} }
  debug: { ${IDLE}, profiles: [dev] }
  trace: { ${IDLE}, profiles: [ops] }
`,
  };
  await using all = start({ files });
  await all.started();
  assert.deepEqual(all.whoBecame("ready"), ["db"]);
  await all.stop();
  await using dev = start({ args: ["run", "--profile", "dev"], cwd: all.folder });
  await dev.started();
  assert.deepEqual(dev.whoBecame("ready"), ["db", "debug"]);
  for (const [profile, hint] of [
    ["dve", '; did you mean "dev"?'],
    ["test-only", "; there is dev, ops"],
  ] as const) {
    const { code, stderr } = await haraka({ args: ["run", "--profile", profile], cwd: all.folder });
    const says = `haraka: cannot start the profile '${profile}': no service has it${hint}\n`;
    assert.deepEqual([code, stderr], [2, says]);
  }
});

test("a later -c wins per key", async () => {
  const files = {
    "base.yaml":
      "services: { app: { command: [sh, -c, 'echo $A $B'], kind: task, environment: { A: base, B: base } } }",
    "prod.yaml": "runtime: { name: shop }\nservices: { app: { environment: { B: prod } } }",
  };
  const { code, stdout } = await haraka({ args: ["run", "-c", "base.yaml", "-c", "prod.yaml"], files });
  assert.equal(code, 0);
  assert.match(stdout, /"service":"app","stream":"stdout","message":"base prod"/);
  assert.match(stdout, /"service":"shop","stream":"runtime"/);
});

test("include takes services from manifests, named by their folder", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": 'include: ["services/*/service.yaml"]',
      "services/db/service.yaml": IDLE,
      "services/web/service.yaml": "entrypoint: ./web.ts\ndependencies: [db]\nsettings: { text: hi }",
      "services/web/web.ts": `
import { Service } from "haraka-runtime";
export default class extends Service<{ text: string }> {
  routes(app) { app.get("/", (c) => c.text(this.settings.text)); }
}`,
    },
  });
  await runtime.started();
  assert.equal(await (await runtime.get("/")).text(), "hi");
  assert.deepEqual(runtime.whoBecame("ready"), ["db", "web"]);
});

test("HARAKA_CONFIG names the config, and -c wins over it", async () => {
  const files = {
    "named.yaml": "services: { named: { kind: task, command: [echo, named] } }",
    "given.yaml": "services: { given: { kind: task, command: [echo, given] } }",
  };
  const env = { HARAKA_CONFIG: "named.yaml" };
  const byVariable = await haraka({ env, files });
  assert.deepEqual([byVariable.code, /"message":"named"/.test(byVariable.stdout)], [0, true]);
  const byFlag = await haraka({ args: ["run", "-c", "given.yaml"], env, files });
  assert.deepEqual([byFlag.code, /"message":"given"/.test(byFlag.stdout)], [0, true]);
});

test("no config anywhere says where it was looked for", async () => {
  const { code, stderr } = await haraka();
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^haraka: no config: neither runtime\.yaml nor config\/runtime\.yaml is in .*'haraka init'\n$/,
  );
});

async function components(runtime: { get(path: string): Promise<Response> }): Promise<object> {
  return ((await (await runtime.get("/health")).json()) as { components: object }).components;
}
