// The Dockerfile, built by buildah on base images made here, and the image run as an engine would run it: PID 1 of its own
// namespaces, read-only root, no shell, a uid that nothing in the image knows. No Docker engine and no image registry.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { installDebian, systemPath, unpackDebian } from "./support/debian.ts";

const root = join(import.meta.dirname, "../..");
const linuxOnly = process.platform === "linux" ? false : "containers need Linux";
const uid = 12345;

let work = "";
let image: { path: string; config: ImageConfig };

interface ImageConfig {
  User: string;
  Env: string[];
  Entrypoint: string[];
  Cmd: string[];
  StopSignal: string;
  ExposedPorts: Record<string, object>;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[]; Interval: number };
}

function buildah(...args: string[]): string {
  const store = ["--root", join(work, "store"), "--runroot", join(work, "run"), "--storage-driver", "vfs"];
  const env = { ...process.env, BUILDAH_ISOLATION: "chroot" };
  return execFileSync("buildah", [...store, ...args], {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}

/** An image named `name` that holds the folder `files`, with further Dockerfile lines. */
function commitImage(name: string, files: string, lines = ""): void {
  const file = join(work, `${name}.Dockerfile`);
  writeFileSync(file, `FROM scratch\nCOPY . /\n${lines}`);
  buildah("build", "--format", "docker", "--tag", name, "--file", file, files);
}

/** What a distroless base holds. */
function commitBase(): void {
  const files = join(work, "base");
  mkdirSync(files);
  unpackDebian(["base-files", "libc6", "libgcc-s1", "tzdata", "ca-certificates"], files);
  commitImage("local-base", files);
}

/** What a Bun image holds, its cache filled with the locked dependencies so that the build needs no network. */
function commitBuild(): void {
  const files = join(work, "build");
  mkdirSync(files);
  unpackDebian(["base-files", "libc6", "libgcc-s1", "busybox-static"], files);
  mkdirSync(join(files, "usr/local/bin"), { recursive: true });
  for (const tool of ["sh", "mkdir"]) symlinkSync("/bin/busybox", join(files, "usr/local/bin", tool));
  if (!existsSync(join(files, "bin/sh"))) symlinkSync("busybox", join(files, "bin/sh"));
  cpSync(process.execPath, join(files, "usr/local/bin/bun"));

  const manifest = join(work, "manifest");
  for (const name of ["package.json", "bun.lock", "bunfig.toml"])
    cpSync(join(root, name), join(manifest, name));
  const env = { ...process.env, BUN_INSTALL_CACHE_DIR: join(files, "cache") };
  const install = ["install", "--frozen-lockfile", "--production"];
  execFileSync(process.execPath, install, { cwd: manifest, env, stdio: "ignore" });
  commitImage("local-build", files, "ENV BUN_INSTALL_CACHE_DIR=/cache\n");
}

/** The Dockerfile as buildah takes it: Debian 12's does not know `--start-interval` yet. */
function buildImage(): void {
  const file = join(work, "Dockerfile");
  writeFileSync(file, readFileSync(join(root, "Dockerfile"), "utf8").replace(" --start-interval=200ms", ""));
  const bases = ["--build-arg", "BUILD_IMAGE=local-build", "--build-arg", "BASE_IMAGE=local-base"];
  buildah("build", "--format", "docker", "--pull-never", ...bases, "--tag", "haraka", "--file", file, root);
}

after(() => {
  if (work !== "") rmSync(work, { recursive: true, force: true });
});

interface Container extends AsyncDisposable {
  process: ChildProcess;
  output(): string;
}

/** What the image sets, and the PATH that finds this machine's tools. */
function environment(): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(image.config.Env.map((entry) => entry.split(/=(.*)/s))),
    PATH: systemPath,
  };
}

/** Runs the image's own command in namespaces of its own; ends it, if it still runs, when disposed. */
function startContainer(): Container {
  const script = [
    "set -e",
    "ip link set lo up",
    'mount --bind "$0" "$0"',
    'mount --rbind /dev "$0/dev"',
    'mount -t proc proc "$0/proc"',
    'mount -o remount,ro,bind "$0"',
    `exec chroot --userspec=${uid}:${uid} "$0" "$@"`,
  ].join("\n");
  const { Entrypoint, Cmd } = image.config;
  const unshare = ["--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", script, image.path];
  const child = spawn("unshare", [...unshare, ...Entrypoint, ...Cmd], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    process: child,
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

/** The container's PID 1 as this side sees it. */
function pidOne({ pid }: ChildProcess): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
}

/** Runs the image's HEALTHCHECK command in the container, as its user. */
async function healthcheck(container: ChildProcess): Promise<number | null> {
  const [, ...command] = image.config.Healthcheck.Test;
  const enter = ["--target", pidOne(container), "--mount", "--pid", "--net", "--root", "--wd"];
  const who = ["--setuid", String(uid), "--setgid", String(uid)];
  const check = spawn("nsenter", [...enter, ...who, ...command], { env: environment(), stdio: "ignore" });
  const [code] = (await once(check, "exit")) as [number | null];
  return code;
}

/** Asks until the container is healthy; fails when it has ended or will not become so. */
async function untilHealthy({ process: container, output }: Container): Promise<void> {
  for (let attempt = 1; (await healthcheck(container)) !== 0; attempt += 1) {
    assert.equal(container.exitCode, null, output());
    assert.ok(attempt < 100, `not healthy after ${attempt} checks: ${output()}`);
  }
}

interface Answer {
  status: number;
  body: { status: string; components?: Record<string, unknown> };
}

/** Status and body of a GET on the container's port, asked from inside its network. */
async function get(container: ChildProcess, path: string): Promise<Answer> {
  const url = `http://127.0.0.1:8080${path}`;
  const ask = `const r = await fetch("${url}"); console.log(JSON.stringify({ status: r.status, body: await r.json() }))`;
  const enter = ["--target", pidOne(container), "--net", process.execPath, "-e", ask];
  const { stdout } = await promisify(execFile)("nsenter", enter);
  return JSON.parse(stdout) as Answer;
}

test("Dockerfile asks readiness every 5s, and every 200ms until the first success within a start", () => {
  const [line = ""] = /^HEALTHCHECK .*$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8")) ?? [];
  const [flags = "", command] = line.split(" CMD ");
  // Docker looks at the start interval only within the start period, which is 0s by itself.
  assert.deepEqual(flags.split(" ").slice(1), [
    "--interval=5s",
    "--start-period=60s",
    "--start-interval=200ms",
  ]);
  assert.equal(command, '["/haraka","health","--ready"]');
});

test("buildah builds the Dockerfile on distroless base files", { skip: linuxOnly, timeout: 300_000 }, () => {
  installDebian(["buildah", "iproute2"]);
  work = mkdtempSync(join(tmpdir(), "haraka-container-"));
  commitBase();
  commitBuild();
  buildImage();
  const container = buildah("from", "--pull-never", "haraka");
  const inspected = JSON.parse(buildah("inspect", container)) as { Docker: { config: ImageConfig } };
  image = { path: buildah("mount", container), config: inspected.Docker.config };
});

test("image declares user, data, port, signal and labels", { skip: linuxOnly }, () => {
  const { config, path } = image;
  assert.equal(config.User, "65532:65532");
  assert.ok(config.Env.includes("HARAKA_CONFIG=/app/runtime.yaml"));
  assert.ok(config.Env.includes("HARAKA_DATA=/data"));
  assert.deepEqual(config.Entrypoint, ["/haraka"]);
  assert.deepEqual(config.Cmd, ["run"]);
  assert.equal(config.StopSignal, "SIGTERM");
  assert.deepEqual(Object.keys(config.ExposedPorts), ["8080/tcp"]);
  assert.deepEqual(config.Healthcheck.Test, ["CMD", "/haraka", "health", "--ready"]);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  assert.equal(config.Labels["org.opencontainers.image.version"], version);
  assert.equal(statSync(join(path, "data")).uid, 65532);
  for (const absent of ["bin/sh", "usr/bin/sh", "etc/passwd", "build"])
    assert.ok(!existsSync(join(path, absent)), absent);
});

test(
  "container boots read-only as an unknown uid, is healthy, and ends with 0 on SIGTERM",
  { skip: linuxOnly },
  async () => {
    await using container = startContainer();
    await Promise.race([once(container.process.stdout!, "data"), once(container.process, "exit")]);
    await untilHealthy(container);
    const health = await get(container.process, "/health");
    assert.equal(health.status, 200, JSON.stringify(health.body));
    assert.deepEqual(Object.keys(health.body.components ?? {}).toSorted(), [
      "check",
      "counter",
      "hello",
      "worker",
    ]);
    assert.deepEqual(await get(container.process, "/health/ready"), {
      status: 200,
      body: { status: "ready" },
    });

    const mounts = readFileSync(`/proc/${pidOne(container.process)}/mountinfo`, "utf8");
    assert.match(mounts, / \/ ro,/, "the root is writable");
    const status = readFileSync(`/proc/${pidOne(container.process)}/status`, "utf8");
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t`, "m"));
    assert.match(status, /^NSpid:\t\d+\t1$/m);

    process.kill(Number(pidOne(container.process)), "SIGTERM");
    const [code] = (await once(container.process, "exit")) as [number | null];
    assert.equal(code, 0, container.output());
    assert.doesNotMatch(container.output(), /cannot wait for orphans/);
  },
);
