// Control of a real runtime: over the socket of its config with the verbs, and over TCP with the token.
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { askSocket } from "../http/control-rig.ts";
import { haraka, isRunning, type Outcome, type Runtime, start } from "./support/runtime.ts";

const CONFIG = `
http: { port: "\${PORT}" }
services:
  db: { command: [sh, -c, "echo db says hello; exec sleep 1000"] }
  api: { command: [sleep, "1000"], dependencies: [db] }
  extra: { command: [sleep, "1000"], critical: false }
`;

const files = { "runtime.yaml": CONFIG };

/** A verb beside a runtime, as one would type it in its folder. */
const beside = (runtime: Runtime, ...args: string[]): Promise<Outcome> =>
  haraka({ args, cwd: runtime.folder });

const socketOf = (runtime: Runtime): string => join(runtime.folder, "data/haraka.sock");

suite("over the socket", () => {
  test("the verbs find it by the config and see what runs", async () => {
    await using runtime = await start({ files }).started();
    assert.equal(statSync(socketOf(runtime)).mode & 0o777, 0o600);
    const { runtime: seen, services } = JSON.parse((await beside(runtime, "status", "--json")).stdout);
    assert.deepEqual([seen.pid, seen.state, seen.ready], [runtime.pid, "started", true]);
    assert.deepEqual(
      services.map(({ name, state }: { name: string; state: string }) => `${name} ${state}`),
      ["db ready", "api ready", "extra ready"],
    );
    assert.match((await beside(runtime, "logs", "db")).stdout, /^(?:ready\n|db says hello\n){2}$/);
    assert.match((await beside(runtime, "timeline")).stdout, /^start: \d+ms\n/);
    assert.equal((await beside(runtime, "explain", "api")).code, 0);
    assert.equal((await beside(runtime, "health", "--ready")).stdout, "ready\n");
  });

  test("services are stopped, started and restarted, those that need them along", async () => {
    await using runtime = await start({ files }).started();
    const { pid } = await runtime.record("api", "ready");
    const refused = await beside(runtime, "stop", "db");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /'api' needs it; stop those too with --cascade/);
    assert.equal((await beside(runtime, "stop", "db", "--cascade")).code, 0);
    await runtime.record("db", /^stopped/);
    assert.equal(isRunning(pid ?? 0), false);
    const { code, stdout } = await beside(runtime, "explain", "api");
    assert.deepEqual([code, stdout.startsWith("api: stopped")], [1, true], stdout);
    assert.equal((await beside(runtime, "start", "api")).code, 0);
    await runtime.until("/health/ready", 200);
    assert.deepEqual(runtime.whoBecame("ready").toSorted(), ["api", "api", "db", "db", "extra"]);
  });

  test("a reload applies what changed; a config that is wrong changes nothing", async () => {
    await using runtime = await start({ files }).started();
    const yaml = join(runtime.folder, "runtime.yaml");
    writeFileSync(yaml, `${CONFIG}  more: { command: [sleep, "1000"] }\n`);
    assert.equal((await beside(runtime, "reload")).stdout, "added: more\n");
    await runtime.record("more", "ready");
    writeFileSync(yaml, `${CONFIG}  more: { comand: [sleep] }\n`);
    const { code, stderr } = await haraka({
      args: ["reload"],
      cwd: runtime.folder,
      env: { HARAKA_SOCKET: socketOf(runtime) },
    });
    assert.equal(code, 1);
    assert.match(stderr, /nothing was changed:\nruntime\.yaml:7:\d+ .*comand/);
    assert.equal(
      (await haraka({ args: ["status", "more"], env: { HARAKA_SOCKET: socketOf(runtime) } })).code,
      0,
    );
  });

  test("a reload to what would not start changes nothing, and says all of it; so does SIGHUP", async () => {
    await using runtime = await start({ files }).started();
    const more = `
  nobody: { command: [sleep, "1"], user: nobody-here }
  lost: { command: [no-such-command] }
  made: { command: [./made], cwd: ., dependencies: { maker: completed } }
  maker: { kind: task, command: [sh, -c, "printf '#!/bin/sh\\nexec sleep 1000' > made; chmod +x made"], cwd: . }
`;
    const wrong = `${CONFIG.replace('api: { command: [sleep, "1000"]', "api: { command: [sleep, '1'], cwd: gone")}${more}`;
    runtime.write("runtime.yaml", wrong).signal("SIGHUP");
    await runtime.record("haraka", /^config not reloaded, nothing has changed: .*no-such-command/);
    const { code, stderr } = await beside(runtime, "reload");
    assert.equal(code, 1);
    const said = stderr.split("\n");
    assert.equal(said.length, 5, stderr);
    assert.equal(said[0], "haraka: cannot reload, nothing was changed:");
    assert.match(
      said[1] ?? "",
      /^runtime\.yaml:5:3 services\.api: cannot start: working directory ".*\/gone" does not exist; correct that first$/,
    );
    assert.match(
      said[2] ?? "",
      /^runtime\.yaml:\d+:3 services\.nobody: cannot start: unknown user "nobody-here"/,
    );
    assert.match(
      said[3] ?? "",
      /^runtime\.yaml:\d+:3 services\.lost: cannot start: command "no-such-command" not found in PATH/,
    );
    assert.deepEqual(runtime.messages("api", "runtime"), ["ready"]);
    runtime.write("runtime.yaml", `${CONFIG}${more.replace(/.*(nobody|lost):.*\n/g, "")}`);
    assert.equal((await beside(runtime, "reload")).stdout, "added: made, maker\n");
    await runtime.record("made", "ready");
  });

  test("a module that was abandoned is not started again, which is an error with what to do", async () => {
    const yaml = "http: false\nservices: { m: { entrypoint: ./m.ts, stopTimeout: 50ms } }";
    const module = "export default { startup() {}, shutdown: () => new Promise(() => {}) };";
    await using runtime = await start({ files: { "runtime.yaml": yaml, "m.ts": module } }).started();
    assert.equal((await beside(runtime, "stop", "m")).code, 0);
    await runtime.record("m", /^failed: abandoned/);
    const { code, stderr } = await beside(runtime, "start", "m");
    assert.deepEqual(
      [code, stderr],
      [
        1,
        "haraka: cannot start 'm': an earlier instance overran its time and still runs in this process; restart the runtime\n",
      ],
    );
    const reloaded = async (text: string) => {
      runtime.write("runtime.yaml", text);
      const { code, stderr } = await beside(runtime, "reload");
      return [code, stderr.split("\n")[1]];
    };
    const why = "an earlier instance overran its time and still runs in this process; restart the runtime";
    const other = yaml.replace("50ms", "60ms");
    assert.deepEqual(await reloaded(other), [1, `runtime.yaml:2:13 services.m: cannot start: ${why}`]);
    // Not to be had by the way of leaving it out either.
    const without = 'http: false\nservices: { p: { command: [sleep, "1000"] } }';
    assert.deepEqual(await reloaded(without), [0, undefined]);
    assert.deepEqual(await reloaded(yaml), [1, `runtime.yaml:2:13 services.m: cannot start: ${why}`]);
    assert.deepEqual(runtime.messages("p", "runtime"), ["ready"]);
  });

  test("a reload that stops what would not come up again is refused, and says what to start first", async () => {
    const yaml = `http: false
services:
  db: { command: [sleep, "1000"], critical: false }
  api: { command: [sleep, "1000"], dependencies: { db: started } }
`;
    await using runtime = await start({ files: { "runtime.yaml": yaml } }).started();
    process.kill((await runtime.record("db", "ready")).pid ?? 0, "SIGKILL");
    await runtime.record("db", /^failed/);
    runtime.write(
      "runtime.yaml",
      yaml.replace('api: { command: [sleep, "1000"', 'api: { command: [sleep, "999"'),
    );
    const { code, stderr } = await beside(runtime, "reload");
    assert.deepEqual(
      [code, stderr.split("\n")[1]],
      [1, "runtime.yaml:4:3 services.api: cannot start again: it needs 'db', which failed; start 'db' first"],
    );
    assert.deepEqual(runtime.messages("api", "runtime"), ["ready"]);
  });

  test("it answers while the runtime stops, and shows the ledger", async () => {
    const stubborn = `{ command: [sh, -c, "trap '' TERM; echo up; exec sleep 1000"], stopTimeout: 60s }`;
    const yaml = `http: false\nruntime: { shutdown: { budget: 90s } }\nservices: { slow: ${stubborn} }`;
    await using runtime = await start({ files: { "runtime.yaml": yaml } }).started();
    await runtime.record("slow", "up");
    runtime.signal("SIGTERM");
    let seen: { state: string; ready: boolean; ledger?: { stage: string; budgetMs: number; reason: string } };
    do {
      const answer = await askSocket(socketOf(runtime), { method: "GET", path: "/api/v1/runtime" });
      seen = JSON.parse(answer.text) as typeof seen;
    } while (seen.ledger?.stage !== "services");
    assert.deepEqual([seen.state, seen.ready, seen.ledger.budgetMs], ["stopping", false, 90_000]);
    assert.match(seen.ledger.reason, /SIGTERM/);
    assert.match(
      (await beside(runtime, "status")).stdout,
      /\nstopping \(.*SIGTERM\): services, .* of 1m 30s\n/,
    );
    assert.match((await beside(runtime, "start", "slow")).stderr, /the runtime is shutting down/);
    const reload = await beside(runtime, "reload");
    assert.deepEqual(
      [reload.code, reload.stderr],
      [1, "haraka: cannot reload, nothing was changed:\nthe runtime is stopping\n"],
    );
  });

  test("a shutdown can be asked for", async () => {
    await using runtime = await start({ files }).started();
    const body = '{"reason":"maintenance"}';
    const answer = await askSocket(socketOf(runtime), {
      method: "POST",
      path: "/api/v1/runtime/shutdown",
      body,
    });
    assert.equal(answer.status, 202);
    assert.equal((await runtime.ended).code, 0);
    assert.ok(
      runtime.records.some(({ message }) => message === "asked to stop over the control socket: maintenance"),
    );
    assert.deepEqual(readdirSync(join(runtime.folder, "data")), []);
  });

  test("who watches is told of the end and holds nothing up", async () => {
    await using runtime = await start({ files }).started();
    await using watching = start({ args: ["status", "--watch", "--json"], cwd: runtime.folder });
    await using following = start({ args: ["logs", "-f"], cwd: runtime.folder });
    while (watching.lines.length === 0 || following.lines.length === 0) await beside(runtime, "version");
    assert.equal((await runtime.stop()).code, 0);
    assert.deepEqual([(await watching.ended).code, (await following.ended).code], [0, 0]);
    assert.match((await following.ended).stdout, /api +\| stopped/);
  });
});

suite("a second runtime on the socket", () => {
  test("is refused with the pid of the first, and starts no service", async () => {
    const marks = {
      "runtime.yaml": `http: false\nservices: { a: { command: [sh, -c, "echo >> marks; exec sleep 1000"] } }`,
    };
    await using first = await start({ files: marks }).started();
    const second = await haraka({ cwd: first.folder });
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      new RegExp(
        `^haraka: cannot open the control socket ${socketOf(first)}: a runtime with pid ${first.pid} holds it;`,
      ),
    );
    assert.equal(statSync(join(first.folder, "marks")).size, 1);
    assert.equal((await beside(first, "status")).code, 0);
    assert.equal((await first.stop()).code, 0);
  });

  test("takes over when the first was killed", async () => {
    await using first = await start({ files }).started();
    const { pid } = await first.record("db", "ready");
    first.signal("SIGKILL");
    await first.ended;
    for (const each of first.records)
      if (each.message === "ready" && each.pid) process.kill(each.pid, "SIGKILL");
    assert.ok(pid !== undefined && existsSync(socketOf(first)));
    await using second = await start({ cwd: first.folder }).started();
    assert.equal(JSON.parse((await beside(second, "status", "--json")).stdout).runtime.pid, second.pid);
    assert.equal((await second.stop()).code, 0);
    assert.deepEqual(readdirSync(join(first.folder, "data")), ["haraka.sock.lock"]);
  });
});

suite("a socket that cannot be", () => {
  test("is one warning where nobody named it", async () => {
    await using runtime = await start({ files: { ...files, data: "a file" } }).started();
    const warnings = runtime.records
      .filter(({ level }) => level === "warn")
      .map(({ message }) => String(message));
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /^cannot open the control socket .*: .*\/data is no folder; .*going on without it/,
    );
    assert.equal((await runtime.stop()).code, 0);
  });

  test("is an error where the config names it", async () => {
    const named = {
      "runtime.yaml": `control: { socket: runtime.yaml }\nhttp: false\n${CONFIG.slice(CONFIG.indexOf("services"))}`,
    };
    const { code, stdout, stderr } = await haraka({ files: named, env: { HARAKA_DATA: "." } });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^haraka: cannot open the control socket .*\/runtime\.yaml: there is a file of that name; move it away, or /,
    );
  });

  test("is not made when there is to be none", async () => {
    await using runtime = await start({
      files: { "runtime.yaml": `control: { socket: false }\n${CONFIG}` },
    }).started();
    assert.equal(existsSync(join(runtime.folder, "data")), false);
    assert.equal((await runtime.stop()).code, 0);
  });
});

suite("over TCP", () => {
  const TOKEN = "s3cret-t0ken";
  const withToken = { "runtime.yaml": `control: { token: "\${CONTROL_TOKEN:-}" }\n${CONFIG}` };
  const bearer = { authorization: `Bearer ${TOKEN}` };

  test("there is nothing without a token", async () => {
    await using runtime = await start({ files: withToken }).started();
    assert.equal((await runtime.get("/api/v1/runtime", bearer)).status, 404);
    assert.equal((await runtime.get("/api/v1/runtime", { authorization: "Bearer " })).status, 404);
  });

  test("with one, its bearers are served, and nobody else", async () => {
    await using runtime = await start({ files: withToken, env: { CONTROL_TOKEN: TOKEN } }).started();
    const answer = (await (await runtime.get("/api/v1/runtime", bearer)).json()) as { pid: number };
    assert.equal(answer.pid, runtime.pid);
    for (const path of ["/api/v1/runtime", "/api/v1/services", "/api/v1/anything"]) {
      const wrong = await runtime.get(path, { authorization: "Bearer wrong" });
      assert.equal(wrong.status, 401);
      assert.deepEqual(await wrong.json(), { type: "about:blank", title: "Unauthorized", status: 401 });
    }
    assert.equal((await runtime.get("/api/v1/runtime")).status, 401);
    assert.equal((await runtime.get("/api/v1/runtime", { ...bearer, host: "evil.example" })).status, 403);
    assert.equal(
      (await runtime.get("/api/v1/runtime", { ...bearer, origin: "http://evil.example" })).status,
      403,
    );
    assert.equal((await runtime.get("/health/live")).status, 200);
    assert.ok(!runtime.lines.join("\n").includes(TOKEN));
  });

  test("its streams end when the runtime begins to stop, so that nothing waits for them", async () => {
    await using runtime = await start({ files: withToken, env: { CONTROL_TOKEN: TOKEN } }).started();
    const events = await runtime.get("/api/v1/runtime/events", bearer);
    const text = events.text();
    assert.equal((await runtime.stop()).code, 0);
    assert.match(await text, /retry: 1000\nevent: end\ndata: \{"reason":"the runtime is stopping"\}\n\n$/);
    assert.ok(!runtime.lines.some((line) => line.includes("late")));
  });
});
