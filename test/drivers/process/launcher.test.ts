// Real processes, started in every way there is: what reaches them, what they write, how they end, and what is said when they cannot start.
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import type { ProcessConfig } from "../../../src/config/config.ts";
import { launchProblem } from "../../../src/drivers/process/launch-problem.ts";
import { processLauncher, type ProcessLauncherOptions } from "../../../src/drivers/process/launcher.ts";
import { spawnWith } from "../../../src/drivers/spawn-bun.ts";
import { spawn as spawnByNode } from "../../../src/drivers/spawn-node.ts";
import type { Spawn } from "../../../src/ports/spawn.ts";
import { spawnByBun } from "../../contracts/commands.ts";
import { record, type Recorded } from "../../contracts/outcomes.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "haraka-test-")));
after(() => rmSync(folder, { recursive: true }));
const fixture = (name: string): string => join(import.meta.dirname, "../../fixtures", name);

type Written = Record<"stdout" | "stderr", string>;
interface Started extends Recorded {
  written: Written;
  /** Resolves once the output of either stream matches. */
  wrote: (pattern: RegExp) => Promise<void>;
  /** Resolves when both streams have ended. */
  ended: Promise<void>;
}

const isRoot = process.getuid?.() === 0;

function configOf(config: Partial<ProcessConfig> & { argv: string[] }): ProcessConfig {
  return {
    type: "process",
    cwd: folder,
    environment: {},
    stdin: "null",
    stopSignal: "SIGTERM",
    forwardSignals: [],
    ...config,
  };
}

const ways: Readonly<Record<string, Spawn>> = {
  "by Bun": spawnByBun,
  "by Bun where no pipes can be had": spawnWith(() => undefined),
  "by node:child_process": spawnByNode,
};
for (const [way, spawn] of Object.entries(ways)) describe(way, () => suite(spawn));

function suite(spawn: Spawn): void {
  function start(
    config: Partial<ProcessConfig> & { argv: string[] },
    options: Partial<ProcessLauncherOptions> = {},
  ): Started {
    const written: Written = { stdout: "", stderr: "" };
    const ended = Promise.withResolvers<void>();
    const waiting = new Set<() => void>();
    let open = 2;
    const launcher = processLauncher({
      process: configOf(config),
      environment: { PATH: process.env["PATH"] },
      spawn,
      lookUpIds: () => ({}),
      output: (stream) => ({
        write(chunk) {
          written[stream] += new TextDecoder().decode(chunk);
          for (const look of waiting) look();
          return undefined;
        },
        end: () => void (--open === 0 && ended.resolve()),
      }),
      ...options,
    });
    const wrote = (pattern: RegExp): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (pattern.test(written.stdout + written.stderr)) resolve();
        };
        waiting.add(look);
        look();
      });
    return { ...record(launcher), written, wrote, ended: ended.promise };
  }

  /** Said by a launch that fails; where it can be told beforehand, it is told in the same words. */
  const reasonOf = async (...args: Parameters<typeof start>): Promise<string> => {
    const [config, options] = args;
    const environment = { PATH: process.env["PATH"] };
    const known = launchProblem({
      environment,
      lookUpIds: () => ({}),
      ...options,
      process: configOf(config),
    });
    const outcome = await start(...args).end;
    if (outcome.type !== "failed") assert.fail(`not failed but ${outcome.type}`);
    assert.ok(known === undefined || known === outcome.reason, known);
    return outcome.reason;
  };

  test("launch gives the process its folder, environment and user", async () => {
    const { end, written } = start({
      argv: ["sh", fixture("identity.sh")],
      environment: { GREETING: "hi there" },
    });
    await end;
    assert.equal(written.stdout, `${process.getuid?.()} ${process.getgid?.()} ${folder} hi there\n`);
  });

  test("launch takes a command from the PATH of the process, relative folders included", async () => {
    mkdirSync(join(folder, "bin"), { recursive: true });
    writeFileSync(join(folder, "bin/only-here"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    const { end, written } = start({
      argv: ["only-here"],
      environment: { PATH: `${folder}/bin:/usr/bin:/bin` },
    });
    await end;
    assert.equal(written.stdout, "found\n");
  });

  test("launch passes arguments on as they are", async () => {
    const { end, written } = start({ argv: ["printf", "%s|", "a b", "$HOME", "", "'\"*"] });
    await end;
    assert.equal(written.stdout, "a b|$HOME||'\"*|");
  });

  test("exited comes after all output, with the code", async () => {
    const { end, written } = start({ argv: ["sh", fixture("both-streams.sh")] });
    assert.deepEqual(await end, { type: "exited", code: 3, signal: null });
    assert.deepEqual(written, { stdout: "out 1\nout 2", stderr: "err 1\nerr 2" });
  });

  test("exited is not held up by a child that keeps the pipes, and its output still arrives", async () => {
    const { end, written, wrote, ended } = start({ argv: ["sh", fixture("leave-grandchild.sh")] });
    await wrote(/grandchild \d+\n/);
    assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
    process.kill(Number(/\d+/.exec(written.stdout)?.[0]), "SIGUSR1");
    await ended;
    assert.match(written.stdout, /late\n$/);
  });

  test("stop and kill after the exit signal nobody, not even who is left in the group", async () => {
    const { running, end, written, wrote, ended } = start({ argv: ["sh", fixture("leave-grandchild.sh")] });
    await wrote(/grandchild \d+\n/);
    await end;
    running.stop();
    running.kill();
    process.kill(Number(/\d+/.exec(written.stdout)?.[0]), "SIGUSR1");
    await ended;
    assert.match(written.stdout, /late\n$/);
  });

  test("stop reaches the whole group", async () => {
    const { running, end, ended, wrote } = start({ argv: ["sh", "-c", "sleep 60 & echo up; wait"] });
    await wrote(/up/);
    running.stop();
    assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGTERM" });
    // The streams end only when the sleeping child is gone too.
    await ended;
  });

  test("kill reaches the whole group, whatever it ignores", async () => {
    const { running, end, ended, wrote } = start({ argv: ["sh", fixture("ignore-term.sh")] });
    await wrote(/up/);
    running.kill();
    assert.deepEqual(await end, { type: "exited", code: null, signal: "SIGKILL" });
    await ended;
  });

  test("stop sends the configured signal", async () => {
    const script = "trap 'echo winch; exit 4' WINCH; echo up; while :; do sleep 0.01; done";
    const { running, end, wrote, written } = start({ argv: ["sh", "-c", script], stopSignal: "SIGWINCH" });
    await wrote(/up/);
    running.stop();
    assert.deepEqual(await end, { type: "exited", code: 4, signal: null });
    assert.equal(written.stdout, "up\nwinch\n");
  });

  test("a full sink leaves the pipe unread until it has room, and loses nothing", async () => {
    const room = Promise.withResolvers<void>();
    const full = Promise.withResolvers<void>();
    let bytes = 0;
    let writesWhileFull = 0;
    let hasRoom = false;
    const { end } = start(
      { argv: ["sh", fixture("flood.sh"), "2000"] },
      {
        output: () => ({
          write(chunk) {
            bytes += chunk.length;
            if (hasRoom) return undefined;
            writesWhileFull++;
            full.resolve();
            return room.promise;
          },
          end() {},
        }),
      },
    );
    await full.promise;
    // Other processes live their whole lives meanwhile: time enough for the flood to come through, were it read.
    for (let life = 0; life < 10; life++) await start({ argv: ["true"] }).end;
    assert.equal(writesWhileFull, 1);
    hasRoom = true;
    room.resolve();
    assert.deepEqual(await end, { type: "exited", code: 0, signal: null });
    assert.ok(bytes > 2000 * 991, `${bytes} bytes`);
  });

  test("who writes faster than is read leaves everything else its turns", async () => {
    const WRITES_MAX = 500;
    let hasTurned = false;
    let writes = 0;
    const { running, end } = start(
      { argv: ["yes"] },
      {
        output: () => ({
          write() {
            // Time for the writer to fill its pipe anew.
            for (const sinceMs = performance.now(); performance.now() - sinceMs < 2;);
            if (++writes === 1) setTimeout(() => (hasTurned = true));
            if (hasTurned || writes === WRITES_MAX) running.kill();
            return undefined;
          },
          end() {},
        }),
      },
    );
    await end;
    assert.ok(writes < WRITES_MAX, `${writes} writes and no turn`);
  });

  test("no descriptor is left open, neither by a process nor by one that cannot start", async () => {
    const before = channels();
    const { end, ended } = start({ argv: ["sh", fixture("both-streams.sh")] });
    await Promise.all([end, ended]);
    for (const argv of [["no-such-command"], ["./gone"]])
      assert.equal((await start({ argv }).end).type, "failed");
    const left = (): string[] => channels().filter((channel) => !before.includes(channel));
    // Some are closed a turn of the loop later.
    while (left().length > 0) await new Promise(setImmediate);
  });

  test("failed names the command and the PATH that was searched", async () => {
    const environment = { PATH: "/usr/bin:/nowhere" };
    const reason = await reasonOf({ argv: ["no-such-command"], environment });
    assert.equal(reason, 'command "no-such-command" not found in PATH (/usr/bin:/nowhere)');
  });

  test("failed tells apart what the system calls by one name", async () => {
    writeFileSync(join(folder, "text"), "hello\n");
    writeFileSync(join(folder, "bad-interpreter"), "#!/no/such/interpreter\n", { mode: 0o755 });
    const of = (argv: string[], cwd = folder) => reasonOf({ argv, cwd });
    assert.equal(await of(["./gone"]), `command "./gone" not found at ${folder}/gone`);
    assert.equal(await of(["true"], `${folder}/gone`), `working directory "${folder}/gone" does not exist`);
    assert.equal(
      await of(["true"], `${folder}/text`),
      `working directory "${folder}/text" is not a directory`,
    );
    assert.equal(await of([folder]), `command "${folder}" is a directory (${folder})`);
    assert.equal(await of(["./text"]), `command "./text" is not executable; chmod +x ${folder}/text`);
    const interpreter = `command "./bad-interpreter" (${folder}/bad-interpreter) needs an interpreter or loader that does not exist`;
    assert.equal(await of(["./bad-interpreter"]), interpreter);
    assert.match(
      await of(["true", "x".repeat(3_000_000)]),
      /^arguments and environment of "true" are larger/,
    );
  });

  test("failed names an unknown user", async () => {
    const lookUpIds = () => {
      throw new Error('unknown user "nobody-here"');
    };
    assert.equal(await reasonOf({ argv: ["true"] }, { lookUpIds }), 'unknown user "nobody-here"');
  });

  test("launch becomes the user and group, or says that it may not", async () => {
    chmodSync(folder, 0o755);
    const ids = { lookUpIds: () => ({ uid: 12345, gid: 54321 }) };
    const { end, written } = start({ argv: ["sh", "-c", "id -u; id -g"], cwd: "/" }, ids);
    const outcome = await end;
    if (isRoot) assert.equal(written.stdout, "12345\n54321\n");
    else
      assert.match(
        outcome.type === "failed" ? outcome.reason : "",
        /^not permitted to run "sh" in "\/" with uid 12345/,
      );
  });
}

/** The pipes and sockets that this process has open. */
function channels(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return /^(pipe|socket):/.test(target) ? [target] : [];
    } catch {
      // It was the one that the folder was read by.
      return [];
    }
  });
}

test("a process that a realtime signal ends has not ended well", async () => {
  const exit = Promise.withResolvers<unknown>();
  const sink = { write: () => undefined, end() {} };
  spawnByBun({
    argv: ["sh", "-c", "kill -34 $$"],
    cwd: folder,
    environment: { PATH: process.env["PATH"] },
    stdin: "null",
    stdout: sink,
    stderr: sink,
    onExit: (code, signal) => exit.resolve([code, signal]),
    onError: exit.reject,
  });
  assert.deepEqual(await exit.promise, [162, null]);
});

test("what would keep a process from starting is told beforehand, where it can be told", () => {
  writeFileSync(join(folder, "plain"), "hello\n");
  mkdirSync(join(folder, "tools/first/tool"), { recursive: true });
  mkdirSync(join(folder, "tools/second"));
  writeFileSync(join(folder, "tools/second/tool"), "#!/bin/sh\n", { mode: 0o755 });
  const problem = (config: Parameters<typeof configOf>[0], environment: Record<string, string> = {}) =>
    launchProblem({ process: configOf(config), environment, lookUpIds: () => ({}) });
  const path = "tools/first:tools/second";
  assert.equal(problem({ argv: ["tool"] }, { PATH: path }), undefined, "what is no program is passed over");
  assert.equal(problem({ argv: ["tool"], environment: { PATH: path } }, { PATH: "/" }), undefined);
  assert.equal(problem({ argv: ["true"] }), undefined, "without PATH the system has one of its own");
  assert.equal(
    problem({ argv: ["./plain"] }),
    `command "./plain" is not executable; chmod +x ${folder}/plain`,
  );
  assert.equal(
    problem({ argv: ["tool"] }, { PATH: "/nowhere" }),
    'command "tool" not found in PATH (/nowhere)',
  );
  assert.equal(
    problem({ argv: ["/bin/sh"], cwd: "/nowhere" }),
    'working directory "/nowhere" does not exist',
  );
  const lookUpIds = () => {
    throw new Error('unknown user "nobody-here"');
  };
  assert.equal(
    launchProblem({ process: configOf({ argv: ["/bin/sh"] }), environment: {}, lookUpIds }),
    'unknown user "nobody-here"',
  );
});
