// The verbs that talk to a running runtime, against a scripted one on a real socket: what they print, how they end, and what they
// say when there is nobody, or somebody else.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, suite, test } from "node:test";
import { type ControlRig, isRoot, socketFolder, startControl } from "../http/control-rig.ts";
import { binary, root } from "./support/binary.ts";
import { freePort } from "./support/ports.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { haraka, type Outcome, start } from "./support/runtime.ts";

let rig: ControlRig;
before(async () => {
  rig = await startControl();
});
after(() => rig[Symbol.asyncDispose]());

/** Runs a verb against the scripted runtime. */
function ask(...args: string[]): Promise<Outcome> {
  return haraka({ args, env: { HARAKA_SOCKET: rig.socket } });
}

suite("against a runtime", () => {
  test("status shows it, as a table and as JSON", async () => {
    const { code, stdout } = await ask("status");
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^shop 1\.2\.3 {2}started, ready {2}pid \d+ {2}up 1\.2s {2}memory 512 MiB\n\nSERVICE /,
    );
    assert.match(stdout, /\ndb +ready .* 11 +0\napi +ready .* 12 +0\n$/);
    const json = JSON.parse((await ask("status", "--json", "api")).stdout);
    assert.equal(json.runtime.name, "shop");
    assert.deepEqual(
      json.services.map(({ name }: { name: string }) => name),
      ["api"],
    );
  });

  test("--socket wins over HARAKA_SOCKET, and is taken from the working directory", async () => {
    const { code, stderr } = await ask("status", "--socket", "no.sock");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^haraka: cannot reach a runtime at \/.*\/no\.sock: nothing is there; start one with 'haraka run'/,
    );
  });

  test("orders are passed on and answered", async () => {
    assert.deepEqual(await ask("restart", "api"), {
      code: 0,
      signal: null,
      stdout: "restart: api\n",
      stderr: "",
    });
    assert.equal((await ask("start", "api", "db", "--json")).stdout, '{"services":["api","db"]}\n');
    assert.equal((await ask("stop", "db", "--cascade")).stdout, "stop: api, db\n");
    const refused = await ask("stop", "db");
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.equal(refused.stderr, "haraka: cannot stop 'db': 'api' needs it; add --cascade\n");
    const calls = (await rig.command("calls")) as string[];
    assert.deepEqual(calls.slice(-4), ["restart api", "start api db", "stop db cascade", "stop db"]);
  });

  for (const words of ["stop dp", "explain dp", "logs dp", "status dp"]) {
    test(`'${words}' is a usage error that names the nearest service`, async () => {
      const { code, stdout, stderr } = await ask(...words.split(" "));
      assert.deepEqual([code, stdout], [2, ""]);
      assert.equal(stderr, `haraka: unknown service 'dp'; did you mean "db"?\n`);
    });
  }

  for (const [words, says] of [
    [
      "stop",
      "cannot stop nothing: name a service, as 'haraka stop api'; the runtime as a whole is stopped by SIGTERM",
    ],
    ["explain", "'explain' takes one service (got 0)"],
    ["logs -n many", "cannot print the last 'many' lines: -n takes a whole number from 0"],
    ["status --watch db", "status --watch shows all services; name none"],
    ["completion tcsh", "cannot complete for 'tcsh': name bash, zsh or fish"],
  ] as const) {
    test(`'haraka ${words}' is a usage error`, async () => {
      const { code, stderr } = await ask(...words.split(" "));
      assert.deepEqual({ code, stderr }, { code: 2, stderr: `haraka: ${says}\n` });
    });
  }

  test("reload says what changed; a config that is wrong is exit 1", async () => {
    assert.deepEqual(await ask("reload"), { code: 0, signal: null, stdout: "added: new\n", stderr: "" });
    await rig.command("invalid a.yaml:1:1 services: wrong");
    const { code, stderr } = await ask("reload");
    assert.deepEqual(
      [code, stderr],
      [1, "haraka: cannot reload, nothing was changed:\na.yaml:1:1 services: wrong\n"],
    );
    const json = await ask("reload", "--json");
    assert.deepEqual(JSON.parse(json.stdout), { ok: false, problems: ["a.yaml:1:1 services: wrong"] });
  });

  test("explain is exit 0 for what is ready and 1 with the chain for what is not", async () => {
    await rig.command('set {"name":"db","state":"ready"}');
    assert.match((await ask("explain", "db")).stdout, /^db: ready for /);
    await rig.command('set {"name":"db","state":"backoff","reason":"ended with code 3"}');
    const blockedBy = '[{"service":"db","reason":"ended with code 3","sinceMs":0,"attempts":1}]';
    await rig.command(`set {"name":"api","state":"pending","dependencies":["db"],"blockedBy":${blockedBy}}`);
    const { code, stdout } = await ask("explain", "api");
    assert.equal(code, 1);
    assert.match(stdout, /^api: pending for .*; waits for db\n└─ db: backoff for .*; ended with code 3\n$/);
    const json = JSON.parse((await ask("explain", "api", "--json")).stdout);
    assert.deepEqual([json.service, json.waitsFor[0].service], ["api", "db"]);
    await rig.command('set {"name":"db","state":"ready"}');
    await rig.command('set {"name":"api","state":"ready","dependencies":["db"]}');
  });

  test("timeline draws a hundred columns where there is no terminal", async () => {
    const span = { service: "db", fromMs: 0, toMs: 50, state: "ready", critical: true };
    await rig.command(`timeline ${JSON.stringify({ start: [span], stop: [] })}`);
    assert.equal((await ask("timeline")).stdout, `start: 50ms\n* db |${"━".repeat(88)}| 50ms\n`);
    assert.equal(JSON.parse((await ask("timeline", "--json")).stdout).start[0].service, "db");
  });

  test("logs prints lines in order, pieces put together, names where there are several", async () => {
    await rig.command("write db one");
    await rig.command("piece 1 db lo");
    await rig.command("piece 2 db ng");
    await rig.command("write api two");
    await rig.command("piece 1 db last");
    assert.equal((await ask("logs", "db")).stdout, "one\nlong\nlast\n");
    assert.equal((await ask("logs", "-n", "2")).stdout, "db  | ng\napi | two\ndb  | last\n");
    const json = (await ask("logs", "api", "--json")).stdout.trim().split("\n");
    assert.deepEqual(
      json.map((line) => (JSON.parse(line) as { message: string }).message),
      ["two"],
    );
  });

  test("logs -f goes on until nobody reads", async () => {
    const child = spawn(binary(), ["logs", "-f", "-n", "0", "api"], {
      env: { HARAKA_SOCKET: rig.socket },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    while (((await rig.command("listeners")) as { lines: number }).lines === 0);
    await rig.command("write api here");
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    assert.equal(String(first), "here\n");
    child.stdout.destroy();
    await once(child.stdout, "close");
    for (let running = true; running; running = child.exitCode === null) await rig.command("write api more");
    assert.deepEqual(await exited, [0, null]);
  });

  test("status --watch in a pipe prints a line of JSON for what happened", async () => {
    await using watching = start({
      args: ["status", "--watch", "--json"],
      env: { HARAKA_SOCKET: rig.socket },
    });
    const states = () =>
      watching.lines.map(
        (line) => (JSON.parse(line) as { services: { state: string }[] }).services[0]?.state,
      );
    while (((await rig.command("listeners")) as { events: number }).events === 0);
    await rig.command('set {"name":"db","state":"unready"}');
    while (!states().includes("unready")) await rig.command("listeners");
    await rig.command('set {"name":"db","state":"ready"}');
    while (states().at(-1) !== "ready") await rig.command("listeners");
    watching.signal("SIGTERM");
    assert.equal((await watching.ended).signal, "SIGTERM");
  });

  test("completion knows the verbs, their flags, and the running services", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout } = await ask("completion", shell);
      assert.equal(code, 0);
      for (const word of ["status", "cascade", "haraka-runtime", "completion --services"])
        assert.ok(stdout.includes(word), `${shell}: ${word}`);
    }
    assert.equal((await ask("completion", "--services")).stdout, "db\napi\n");
  });

  test("the bash completion completes", async () => {
    const { stdout: script } = await ask("completion", "bash");
    const complete = (...words: string[]) => {
      const line = words.map((word) => `'${word}'`).join(" ");
      const last = words.length - 1;
      const ask = `COMP_WORDS=(${line}); COMP_CWORD=${last}; _haraka; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync("bash", ["-c", `${script}\n${ask}`], {
        encoding: "utf8",
        env: { HARAKA_SOCKET: rig.socket, PATH: process.env["PATH"] },
      });
      assert.equal(stderr, "");
      return stdout.trim().split("\n");
    };
    assert.deepEqual(complete(binary(), "st"), ["status", "start", "stop", "store"]);
    assert.deepEqual(complete(binary(), "stop", "a"), ["api"]);
    assert.deepEqual(complete(binary(), "stop", "--c"), ["--cascade", "--config"]);
    assert.deepEqual(complete(binary(), "validate", ""), [""]);
    assert.deepEqual(complete(binary(), "emit", "k"), ["kubernetes"]);
  });

  test("health asks the socket first, reasons included, and needs no config for it", async () => {
    const well = await ask("health");
    assert.deepEqual([well.code, well.stdout], [0, "healthy\n"]);
    await rig.command("unready");
    const { code, stdout } = await ask("health", "--ready");
    await rig.command("ready");
    assert.deepEqual([code, stdout], [1, "not_ready: api (waits for 10.0.0.7:5432)\n"]);
    assert.equal(JSON.parse((await ask("health", "--json")).stdout).service, "shop");
  });
});

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`the verbs ask from source under ${name}, too`, { timeout: 60_000 }, async () => {
    const asked = (...args: string[]) =>
      haraka({
        program: [...words, join(root, "src/main.ts")],
        args,
        env: { HARAKA_SOCKET: rig.socket },
      });
    const [status, health, order, nobody] = await Promise.all([
      asked("status", "--json"),
      asked("health", "--ready"),
      asked("restart", "api"),
      asked("status", "--socket", "no.sock"),
    ]);
    assert.equal(JSON.parse(status.stdout).runtime.name, "shop", status.stderr);
    assert.deepEqual([health.code, health.stdout], [0, "ready\n"]);
    assert.deepEqual([order.code, order.stdout], [0, "restart: api\n"]);
    assert.match(nobody.stderr, /nothing is there; start one with 'haraka run'/);
  });
}

suite("against somebody else", () => {
  /** Answers every connection with these bytes; without any, with nothing. */
  async function impostor(path: string, bytes: string | undefined): Promise<Server> {
    const server = createServer((connection) => {
      connection.on("error", () => {});
      connection.once("data", () => (bytes === undefined ? undefined : connection.end(bytes)));
    }).listen(path);
    await once(server, "listening");
    return server;
  }

  const answers: [name: string, bytes: string, says: RegExp][] = [
    [
      "garbage",
      "\x16\x03\x01\0\0garbage\r\n\r\n",
      /cannot understand what answers on .*: .*; is it a haraka runtime\?/,
    ],
    ["nothing", "", /cannot understand what answers on /],
    [
      "a page",
      "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
      /it answered with status 404; is it a haraka runtime\?/,
    ],
    [
      "half of JSON",
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"a":',
      /cannot understand/,
    ],
    [
      "half an answer",
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
      /cannot understand/,
    ],
  ];
  for (const [name, bytes, says] of answers) {
    test(`${name} is said to be no runtime`, async () => {
      using folder = socketFolder();
      const socket = join(folder.path, "s");
      const server = await impostor(socket, bytes);
      const { code, stdout, stderr } = await haraka({ args: ["status", "--socket", socket] });
      server.close();
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, says);
      assert.match(stderr, /^haraka: [^\n]*\n$/);
    });
  }

  test("silence ends after a while; health has less patience", async () => {
    using folder = socketFolder();
    const socket = join(folder.path, "s");
    const server = await impostor(socket, undefined);
    const [status, health] = await Promise.all([
      haraka({ args: ["status", "--socket", socket] }),
      haraka({ args: ["health", "--socket", socket] }),
    ]);
    server.close();
    assert.equal(status.code, 1);
    assert.match(status.stderr, /it does not answer within 5 s\n$/);
    assert.equal(health.code, 1);
    assert.match(health.stderr, /it does not answer within 900 ms\n$/);
  });

  test("a file, a dead socket and a closed folder are told apart", async () => {
    using folder = socketFolder();
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    assert.match((await haraka({ args: ["status", "--socket", file] })).stderr, /it is no socket/);
    await using dead = await startControl();
    await dead.die();
    assert.match(
      (await haraka({ args: ["status", "--socket", dead.socket] })).stderr,
      /nobody listens; the last one has died/,
    );
  });

  test("a socket of another user names its owner", async () => {
    const prefix = isRoot ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];
    chmodSync(join(rig.socket, ".."), 0o711);
    if (!isRoot) chmodSync(rig.socket, 0);
    const { code, stderr } = await haraka({ args: ["status", "--socket", rig.socket], prefix });
    if (!isRoot) chmodSync(rig.socket, 0o600);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /: permission denied for uid \d+; the socket belongs to uid \d+, ask as that user or as root\n$/,
    );
  });

  test("without a config and without a name for the socket it says how to name one", async () => {
    const { code, stderr } = await haraka({ args: ["status"] });
    assert.equal(code, 2);
    assert.match(
      stderr,
      /no config: .*; or name the runtime's socket with --socket PATH or HARAKA_SOCKET\n$/,
    );
  });

  test("health falls back to the port when nobody listens on the socket", async () => {
    const files = {
      "runtime.yaml": `http: { port: ${await freePort()} }\nservices: { a: { command: [sleep, "1000"] } }`,
    };
    await using runtime = start({ files });
    await runtime.started();
    const outcome = await haraka({
      args: ["health"],
      cwd: runtime.folder,
      env: { HARAKA_SOCKET: "nobody.sock" },
    });
    assert.deepEqual([outcome.code, outcome.stdout], [0, "healthy\n"]);
    const none = { "runtime.yaml": "http: false\nservices: { a: { command: [x] } }" };
    const nobody = await haraka({ args: ["health"], files: none });
    assert.equal(nobody.code, 1);
    assert.match(
      nobody.stderr,
      /nobody listens on the socket .*data\/haraka\.sock.*, and the config has http: false/,
    );
  });

  test("a config with control.socket: false has none to ask", async () => {
    const files = { "runtime.yaml": "control: { socket: false }\nservices: { a: { command: [x] } }" };
    const { code, stderr } = await haraka({ args: ["status"], files });
    assert.deepEqual(
      [code, stderr],
      [
        1,
        "haraka: cannot ask the runtime: its config has control.socket: false; remove that and restart the runtime\n",
      ],
    );
  });
});

test("a folder in the way of the socket is said, too", async () => {
  using folder = socketFolder();
  mkdirSync(join(folder.path, "s"));
  const { code, stderr } = await haraka({ args: ["status", "--socket", join(folder.path, "s")] });
  assert.deepEqual([code, /it is no socket/.test(stderr)], [1, true], stderr);
});
