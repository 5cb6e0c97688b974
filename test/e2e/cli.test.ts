// The verbs that start nothing: help, init, validate, graph, schema, version, health; and what the command line refuses.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { binary, root } from "./support/binary.ts";
import { freePort } from "./support/ports.ts";
import { type RunOptions, haraka, start } from "./support/runtime.ts";

const VERBS = [
  "run",
  "dev",
  "status",
  "logs",
  "validate",
  "init",
  "start",
  "stop",
  "restart",
  "reload",
  "explain",
  "timeline",
  "health",
  "graph",
  "schema",
  "emit",
  "sagas",
  "wal",
  "store",
  "completion",
  "version",
];

const GRAPH: RunOptions["files"] = {
  "runtime.yaml": `
services:
  db: { command: [db], priority: 1 }
  migrate: { kind: task, command: [migrate], dependencies: [db] }
  api: { command: [api], dependencies: { migrate: completed, cache: { condition: started, required: false } } }
  cache: { command: [cache] }
`,
};

test("--help shows the verbs of every day, --help --all every one, each with an example", async () => {
  const short = await haraka({ args: ["--help"] });
  assert.deepEqual([short.code, short.stderr], [0, ""]);
  assert.deepEqual(verbsIn(short.stdout), ["run", "dev", "status", "logs", "validate", "init"]);
  assert.match(short.stdout, /Examples:\n {2}haraka init/);
  const all = await haraka({ args: ["--help", "--all"] });
  assert.deepEqual(verbsIn(all.stdout), VERBS);
});

for (const verb of VERBS) {
  test(`${verb} --help shows how to use it, an example, and --json`, async () => {
    const { code, stdout } = await haraka({ args: [verb, "--help"] });
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^haraka ${verb}: .*\n\nUsage: haraka ${verb} `));
    assert.match(stdout, new RegExp(`\nExamples:\n {2}haraka ${verb}`));
    assert.match(stdout, /^ +--json/m);
    assert.equal((await haraka({ args: ["help", verb] })).stdout, stdout);
  });
}

for (const [words, says] of [
  ["", /^haraka: starts the services.*\n\nUsage: haraka VERB/],
  ["rnu", /^haraka: unknown verb 'rnu'; did you mean "run"\?; see 'haraka --help'\n$/],
  ["constructor", /^haraka: unknown verb 'constructor'; see 'haraka --help'\n$/],
  ["help rnu", /^haraka: unknown verb 'rnu'; did you mean "run"\?/],
  ["--versoin", /^haraka: unknown flag '--versoin'; did you mean "--version"\?/],
  ["-c shop.yaml", /^haraka: '-c' comes after a verb, as 'haraka run -c FILE'; see 'haraka --help'\n$/],
  ["--config=shop.yaml run", /^haraka: '--config' comes after a verb, as 'haraka run --config FILE'/],
  ["--all", /^haraka: '--all' comes after a verb, as 'haraka help --all'; see 'haraka --help'\n$/],
  ["-x", /^haraka: unknown flag '-x'; see 'haraka --help'\n$/],
  [
    "run --jsno",
    /^haraka: unknown flag '--jsno' for 'run'; did you mean "--json"\?; see 'haraka run --help'\n$/,
  ],
  ["run -x", /^haraka: unknown flag '-x' for 'run'/],
  ["run -c", /^haraka: -c needs a value: -c FILE\n$/],
  ["run --json=yes", /^haraka: --json takes no value \(got 'yes'\)\n$/],
  ["validate extra", /^haraka: 'validate' takes no arguments \(got 'extra'\)\n$/],
  ["graph --format svg", /^haraka: cannot draw as 'svg': --format is dot or mermaid\n$/],
  ["init a b", /^haraka: 'init' takes one folder \(got 2\)\n$/],
  ["run --env-file absent.env", /^haraka: cannot read --env-file '.*absent\.env': /],
] as const) {
  test(`'haraka ${words}' is a usage error`, async () => {
    const { code, stdout, stderr } = await haraka({ args: words.split(" ").filter(Boolean) });
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.match(stderr, says);
  });
}

test("init writes a project that validates and runs as it is", async () => {
  await using made = start({ args: ["init", "shop"] });
  const { code, stdout } = await made.ended;
  const shop = join(made.folder, "shop");
  assert.equal(code, 0);
  for (const name of [
    "runtime.yaml",
    "services/hello.ts",
    "package.json",
    "tsconfig.json",
    "runtime.schema.json",
    ".gitignore",
  ]) {
    assert.ok(existsSync(join(shop, name)), name);
    assert.ok(stdout.includes(name), name);
  }
  assert.match(stdout, /Next:\n {2}cd shop && npm install\n {2}\S+ validate\n {2}\S+ run\n$/);
  assert.deepEqual(readJson(join(shop, "runtime.schema.json")), readJson(join(root, "config/schema.json")));

  assert.equal((await haraka({ args: ["validate"], cwd: shop })).stdout, "ok: 1 service\n");
  await using running = start({ cwd: shop });
  await running.started();
  assert.equal(await (await running.get("/")).text(), "Hello, world\n");
  assert.equal((await running.stop()).code, 0);

  const again = await haraka({ args: ["init"], cwd: shop });
  assert.equal(again.code, 2);
  assert.match(
    again.stderr,
    /^haraka: cannot init .*: it has a runtime\.yaml; remove it, or name another folder\n$/,
  );
});

for (const name of ["shop", "my shop", "it's", "-shop"]) {
  test(`init ${name} prints commands that a shell in the same folder can run`, async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-init-")));
    after(() => rmSync(folder, { recursive: true }));
    symlinkSync(binary(), join(folder, "haraka"));
    const { stdout } = await haraka({ program: ["./haraka"], args: ["init", "--", name], cwd: folder });
    const commands = stdout.slice(stdout.indexOf("Next:\n") + "Next:\n".length).trim();
    const script = commands.split("\n").slice(0, 2).join(" && ").replace("npm install", "pwd -P");
    const shell = await haraka({ program: ["/bin/sh", "-c", script], args: [], cwd: folder });
    assert.deepEqual([shell.stderr, shell.stdout], ["", `${join(folder, name)}\nok: 1 service\n`]);
  });
}

test("init keeps what is there", async () => {
  await using made = start({
    args: ["init", "--json"],
    files: { "package.json": "{}", ".gitignore": "mine\n" },
  });
  const { stdout } = await made.ended;
  const { kept, written } = JSON.parse(stdout) as { kept: string[]; written: string[] };
  assert.deepEqual(kept, ["package.json", ".gitignore"]);
  assert.ok(written.includes("runtime.yaml"));
  assert.equal(readFileSync(join(made.folder, "package.json"), "utf8"), "{}");
});

test("init in a place that takes no files says which", async () => {
  const { code, stderr } = await haraka({ args: ["init", "file"], files: { file: "" } });
  assert.equal(code, 2);
  assert.match(stderr, /^haraka: cannot write .*\/file\/runtime\.yaml: /);
});

test("a line of an --env-file that gives no variable is a problem of the file", async () => {
  const files = { ...GRAPH, "bad.env": "A=1\nBAD LINE\n" };
  const { code, stderr } = await haraka({ args: ["validate", "--env-file", "bad.env"], files });
  assert.equal(code, 2);
  assert.match(stderr, /bad\.env:2:1 expected NAME=value, a comment that begins with #, or nothing\n$/);
});

test("validate says how many services there are", async () => {
  assert.equal((await haraka({ args: ["validate"], files: GRAPH })).stdout, "ok: 4 services\n");
  const json = await haraka({ args: ["validate", "--json"], files: GRAPH });
  assert.deepEqual(JSON.parse(json.stdout), { ok: true, services: 4 });
});

test("validate --print shows a config that means the same, with secrets redacted", async () => {
  const files = {
    "runtime.yaml":
      'services: { api: { command: [serve], environment: { DB_PASSWORD: "${DB_PASSWORD}", MODE: fast } } }',
  };
  const printed = await haraka({ args: ["validate", "--print"], files, env: { DB_PASSWORD: "hunter2" } });
  assert.equal(printed.code, 0);
  assert.doesNotMatch(printed.stdout, /hunter2/);
  assert.match(printed.stdout, /MODE: fast/);
  const again = await haraka({ args: ["validate", "--print"], files: { "runtime.yaml": printed.stdout } });
  assert.equal(again.stdout, printed.stdout);
});

test("graph draws DOT, Mermaid and JSON", async () => {
  const dot = await haraka({ args: ["graph"], files: GRAPH });
  assert.match(dot.stdout, /^digraph haraka \{\n/);
  assert.match(dot.stdout, /"migrate" -> "db" \[label="ready"\];/);
  assert.match(dot.stdout, /"api" -> "cache" \[label="started", style=dashed\];/);
  const mermaid = await haraka({ args: ["graph", "--format", "mermaid"], files: GRAPH });
  assert.match(mermaid.stdout, /^graph LR\n/);
  assert.match(mermaid.stdout, /n1 -- ready --> n0\n/);
  assert.match(mermaid.stdout, /n2 -\. started \.-> n3\n/);
  const json = await haraka({ args: ["graph", "--json"], files: GRAPH });
  const { services } = JSON.parse(json.stdout) as { services: { name: string; phase: number }[] };
  assert.deepEqual(
    services.map(({ name, phase }) => [name, phase]),
    [
      ["db", 0],
      ["migrate", 1],
      ["api", 1],
      ["cache", 1],
    ],
  );
});

test("schema prints what config/schema.json holds", async () => {
  const { code, stdout } = await haraka({ args: ["schema"] });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), readJson(join(root, "config/schema.json")));
});

test("version says what package.json says", async () => {
  const { version } = readJson(join(root, "package.json")) as { version: string };
  assert.match(
    (await haraka({ args: ["version"] })).stdout,
    new RegExp(`^haraka-runtime ${version} \\(bun `),
  );
  for (const args of [
    ["version", "--json"],
    ["--version", "--json"],
  ]) {
    assert.equal((JSON.parse((await haraka({ args })).stdout) as { version: string }).version, version);
  }
});

test("health is 0 or 1 as the runtime it asks is well or not", async () => {
  const port = String(await freePort());
  const env = { PORT: port };
  await using runtime = start({
    env,
    files: {
      "runtime.yaml": "services: { warm: { entrypoint: ./warm.ts } }",
      "warm.ts": `
import { Service } from "haraka-runtime";
export default class extends Service {
  readonly readiness = "manual";
  startup() { process.once("SIGUSR1", () => this.runtime.markReady()); }
}`,
    },
  });
  const ask = (...flags: string[]): ReturnType<typeof haraka> =>
    haraka({ args: ["health", ...flags], cwd: runtime.folder, env });
  await runtime.started();
  const waiting = await ask("--ready");
  assert.deepEqual([waiting.code, waiting.stdout], [1, "not_ready: warm (has not been marked ready)\n"]);
  assert.equal((await ask("--live")).code, 0);
  assert.equal((await ask("--startup")).code, 0);
  runtime.signal("SIGUSR1");
  await runtime.until("/health/ready", 200);
  const ready = await ask("--ready");
  assert.deepEqual([ready.code, ready.stdout], [0, "ready\n"]);
  assert.equal((JSON.parse((await ask("--json")).stdout) as { status: string }).status, "healthy");
  await runtime.stop();
  const gone = await ask("--ready");
  assert.equal(gone.code, 1);
  const url = `http://127.0.0.1:${port}/health/ready`;
  assert.equal(gone.stderr, `haraka: cannot ask ${url}: nobody listens there; is it running?\n`);
});

test("health takes nobody else on the port for the runtime, and one question at a time", async () => {
  const other = createServer((_request, response) => response.end("<p>all is well"));
  await once(other.listen(0, "127.0.0.1"), "listening");
  const { port } = other.address() as AddressInfo;
  try {
    const files = { "runtime.yaml": `{ http: { port: ${port} }, services: { a: { command: x } } }` };
    for (const flags of [[], ["--json"]]) {
      const { code, stderr } = await haraka({ args: ["health", "--ready", ...flags], files });
      const url = `http://127.0.0.1:${port}/health/ready`;
      assert.deepEqual(
        [code, stderr],
        [1, `haraka: cannot understand what answers at ${url}: is it a haraka runtime?\n`],
      );
    }
  } finally {
    other.close();
  }
  const { code, stderr } = await haraka({ args: ["health", "--live", "--ready"] });
  assert.equal(code, 2);
  assert.match(stderr, /cannot ask --live and --ready at once: choose one/);
});

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The first words of the indented lines between the usage and the examples. */
function verbsIn(help: string): string[] {
  const [, rest = ""] = help.split("VERB [ARGUMENTS]");
  const [table = ""] = rest.split("Examples:");
  return [...table.matchAll(/^ {2}(\w+)/gm)].map(([, verb = ""]) => verb);
}
