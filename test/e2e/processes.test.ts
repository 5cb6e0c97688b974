// What a process service is started with, as the process itself sees it: folder, environment, user, input, arguments; and how
// its output is shown.
import assert from "node:assert/strict";
import test from "node:test";
import { type RunOptions, haraka, start } from "./support/runtime.ts";

/** Runs a config of one task called `app`; gives what it wrote to stdout, line by line. */
async function outputOf(keys: string, options: RunOptions = {}): Promise<unknown[]> {
  const config = `http: false\nservices: { app: { kind: task, ${keys} } }`;
  await using runtime = start({ ...options, files: { "runtime.yaml": config, ...options.files } });
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return runtime.messages("app", "stdout");
}

test("cwd is relative to the config file, and the working directory by default", async () => {
  const files = { "conf/runtime.yaml": "", "conf/sub/marker": "" };
  const config = (keys: string): string =>
    `http: false\nservices: { app: { kind: task, command: [ls], ${keys} } }`;
  const args = ["run", "-c", "conf/runtime.yaml"];
  const named = await haraka({ args, files: { ...files, "conf/runtime.yaml": config("cwd: sub") } });
  assert.match(named.stdout, /"message":"marker"/);
  const own = await haraka({ args, files: { ...files, "conf/runtime.yaml": config("") } });
  assert.match(own.stdout, /"message":"conf"/);
});

test("environment wins over envFile, which wins over what the runtime has", async () => {
  const lines = await outputOf(
    `command: [sh, -c, "echo $A $B $C $D"], envFile: app.env, environment: { C: environment, D: 7 }`,
    { files: { "app.env": "B=file\nC=file\n" }, env: { A: "runtime", B: "runtime", C: "runtime" } },
  );
  assert.deepEqual(lines, ["runtime file environment 7"]);
});

test("an argument list reaches the process as it is, without a shell", async () => {
  assert.deepEqual(await outputOf(String.raw`command: [printf, "%s\n", "a b", "$$HOME", "*", 7]`), [
    "a b",
    "$HOME",
    "*",
    "7",
  ]);
});

test("a command text is split at its spaces with quotes respected", async () => {
  assert.deepEqual(await outputOf(String.raw`command: "printf '%s\n' 'a b' c"`), ["a b", "c"]);
});

test("shell: true hands the text to /bin/sh", async () => {
  assert.deepEqual(await outputOf(`command: "echo one && echo $((1 + 1))", shell: true`), ["one", "2"]);
});

test("stdin is empty unless it is inherited", async () => {
  const options = { stdin: "typed\n" };
  assert.deepEqual(await outputOf("command: [cat]", options), []);
  assert.deepEqual(await outputOf("command: [cat], stdin: inherit", options), ["typed"]);
});

test(
  "user and group are those that the process runs as",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    const command = 'command: [sh, -c, "id -u; id -g"], cwd: /';
    assert.deepEqual(await outputOf(`${command}, user: 12345, group: 54321`), ["12345", "54321"]);
    assert.deepEqual(await outputOf(`${command}, user: 12345`), ["12345", "12345"]);
    const { code, stderr } = await haraka({
      files: { "runtime.yaml": "services: { app: { kind: task, command: [id], user: nobody-here } }" },
    });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^haraka: cannot start 'app': unknown user "nobody-here": not in \/etc\/passwd; use a number\n$/,
    );
  },
);

/** Images link the log files of nginx and others to these. */
const byPath = "echo out > /dev/stdout && echo more >> /dev/stdout && echo err > /dev/stderr";

async function assertOpensOutput(keys: string): Promise<void> {
  const app = `{ kind: task, shell: true, command: "${byPath}", cwd: /, ${keys} }`;
  await using runtime = start({ files: { "runtime.yaml": `http: false\nservices: { app: ${app} }` } });
  const { code, stderr } = await runtime.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.deepEqual(runtime.messages("app", "stdout"), ["out", "more"]);
  assert.deepEqual(runtime.messages("app", "stderr"), ["err"]);
}

test("a service can open its output by path", () => assertOpensOutput(""));

test(
  "a service that runs as another user can open its output by path",
  { skip: process.getuid?.() !== 0 && "needs root" },
  async () => {
    await assertOpensOutput("user: 12345");
    await assertOpensOutput("user: 12345, group: 54321");
  },
);

test("HARAKA_SELF is the binary that runs", async () => {
  const [line] = await outputOf(`command: ["\${HARAKA_SELF}", version, --json]`);
  assert.match((line as { runtime: string }).runtime, /^bun /);
});

test("--env-file gives variables to the config and to the services", async () => {
  const lines = await outputOf(`command: [sh, -c, "echo \${GREETING} $GREETING"]`, {
    args: ["run", "--env-file", "local.env"],
    files: { "local.env": "GREETING=hi\n" },
  });
  assert.deepEqual(lines, ["hi hi"]);
});

test("a .env in the working directory is not read, and the message about the unset variable says so", async () => {
  const files = {
    "runtime.yaml": 'services: { app: { command: [echo, "${GREETING}"] } }',
    ".env": "GREETING=hi\n",
  };
  const { code, stderr } = await haraka({ files });
  assert.equal(code, 2);
  assert.match(stderr, /^runtime\.yaml:1:\d+ services\.app\.command\[1\]: cannot resolve "\$\{GREETING\}"/);
  assert.match(stderr, /"\.env" has it but is not read: pass --env-file \.env/);
});

test("output is JSON lines in a pipe, with objects carried as they are", async () => {
  await using runtime = start({
    files: {
      "runtime.yaml": `
http: false
services:
  app: { kind: task, command: [sh, -c, 'echo plain; echo "{\\"a\\":1}"; printf unfinished; echo wrong >&2'] }
`,
    },
  });
  assert.equal((await runtime.ended).code, 0);
  assert.deepEqual(runtime.messages("app", "stdout"), ["plain", { a: 1 }, "unfinished"]);
  assert.deepEqual(runtime.messages("app", "stderr"), ["wrong"]);
  for (const { time, level, service, stream } of runtime.records) {
    assert.equal(new Date(time).toISOString(), time);
    assert.ok(level && service && stream);
  }
});

test("log.format: pretty puts a name before each line, and --json takes that back", async () => {
  const files = {
    "runtime.yaml": `
runtime: { name: me, log: { format: pretty } }
http: false
services:
  app: { kind: task, command: [echo, hi] }
  longer: { kind: task, command: [echo, there], dependencies: [app] }
`,
  };
  const pretty = await haraka({ files });
  assert.equal(
    pretty.stdout.replaceAll(/ pid=\d+/g, ""),
    [
      "app    | hi",
      "me     | completed service=app",
      "longer | there",
      "me     | completed service=longer",
      "me     | all tasks are done",
      "",
    ].join("\n"),
  );
  const json = await haraka({ args: ["run", "--json"], files });
  for (const line of json.stdout.trim().split("\n")) assert.ok(JSON.parse(line));
});
