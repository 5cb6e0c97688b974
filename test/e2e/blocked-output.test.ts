// A pipe that nobody reads, and a reader that goes away: services and runtime live on, memory stays bounded, a stop ends, and
// whoever reads late gets what was kept back.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { root } from "./support/binary.ts";
import { freePort } from "./support/ports.ts";
import { JAVASCRIPT_RUNTIMES } from "./support/programs.ts";
import { type LogRecord, type Runtime, start } from "./support/runtime.ts";

const folder = mkdtempSync(join(tmpdir(), "haraka-e2e-"));
test.after(() => rmSync(folder, { recursive: true }));

/** Says in a file how many lines it got rid of. They are long, so that what lies between it and the reader is soon full. */
const counting = {
  command: [
    "sh",
    "-c",
    `i=0; while :; do i=$$(($$i+1)); echo "line $$i ${"x".repeat(1000)}"; echo $$i > count; done`,
  ],
};
/** Some that write as fast as they can beside it. */
const floods = Object.fromEntries(
  Array.from({ length: 4 }, (_, index) => [`flood-${index}`, { command: ["yes", "of no interest"] }]),
);

interface Blocked extends AsyncDisposable {
  runtime: Runtime;
  origin: string;
  /** Begins to read; resolves, when the runtime has ended, with what it had to say about or for the service. */
  read(service: string): Promise<LogRecord[]>;
}

let count = 0;

/** A runtime whose output is a FIFO that is open and that nobody reads; it has written as much as goes in. */
async function blocked({
  log = {},
  budget = "60s",
  both = false,
  services = { ...floods, counting } as object,
  files = {},
  program = undefined as readonly string[] | undefined,
}): Promise<Blocked> {
  const fifo = join(folder, `fifo-${(count += 1)}`);
  execFileSync("mkfifo", [fifo]);
  const reading = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(fifo, "w");
  const port = await freePort();
  const config = {
    runtime: { log, shutdown: { budget, drain: "0s" } },
    http: { port, host: "127.0.0.1" },
    services,
  };
  const runtime = start({
    files: { "runtime.yaml": JSON.stringify(config), ...files },
    stdout: writing,
    ...(program && { program }),
    ...(both && { stderr: writing }),
  });
  closeSync(writing);
  const origin = `http://127.0.0.1:${port}`;
  await until(async () => (await ask(`${origin}/health/ready`)) === 200);
  return {
    runtime,
    origin,
    async read(service) {
      const reader = spawn("grep", ["-a", `"service":"${service}"`, fifo], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let text = "";
      reader.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await once(reader, "close");
      return text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as LogRecord);
    },
    async [Symbol.asyncDispose]() {
      await runtime[Symbol.asyncDispose]();
      closeSync(reading);
    },
  };
}

async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise((next) => setTimeout(next, 10));
}

/** The status of the answer; undefined while there is none. */
async function ask(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url, { keepalive: false })).status;
  } catch {
    return undefined;
  }
}

/** How many lines the counting service has got rid of. */
function counted({ folder: place }: Runtime): number {
  try {
    return Number(readFileSync(join(place, "count"), "utf8"));
  } catch {
    return 0;
  }
}

/** Resolves when the counting service has been at the same line for a while. */
async function standsStill(runtime: Runtime): Promise<void> {
  for (let before = -1; before !== counted(runtime) || before <= 0;) {
    before = counted(runtime);
    await new Promise((next) => setTimeout(next, 300));
  }
}

function rssMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

test("pause: the services wait, health answers, memory is bounded, and a late reader gets every line", async () => {
  await using it = await blocked({});
  const { runtime, origin } = it;
  await standsStill(runtime);
  const stood = counted(runtime);
  assert.equal(await ask(`${origin}/health`), 200);
  assert.ok(rssMib(runtime.pid) < 250, `${rssMib(runtime.pid)} MiB`);
  const records = it.read("counting");
  await until(() => counted(runtime) > stood + 1000);
  const { code, stderr } = await runtime.stop();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const lines = (await records).filter(({ stream }) => stream === "stdout").map(({ message }) => message);
  assert.ok(lines.length > stood + 1000);
  lines.forEach((line, index) =>
    assert.ok(String(line).startsWith(`line ${index + 1} x`), `line ${index + 1}`),
  );
});

test("drop: the services go on, and how many lines were dropped is said once there is room", async () => {
  await using it = await blocked({ log: { overflow: "drop" } });
  const { runtime, origin } = it;
  const seen = counted(runtime);
  await until(() => counted(runtime) > seen + 1000);
  assert.equal(await ask(`${origin}/health`), 200);
  assert.ok(rssMib(runtime.pid) < 250, `${rssMib(runtime.pid)} MiB`);
  const records = it.read("haraka");
  await until(() => counted(runtime) > seen + 2000);
  await runtime.stop();
  const said = (await records)
    .map(({ message }) => String(message))
    .filter((text) => text.includes("dropped"));
  assert.match(said[0] ?? "", /^\d+ lines were dropped: the output was not read fast enough$/);
});

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`so do they under ${name}, and health answers`, async () => {
    await using it = await blocked({
      log: { overflow: "drop" },
      program: [...words, join(root, "src/main.ts")],
    });
    const { runtime, origin } = it;
    const seen = counted(runtime);
    await until(() => counted(runtime) > seen + 500);
    assert.equal(await ask(`${origin}/health`), 200);
  });
}

test("a module, which cannot wait, is cut off when nobody reads, and that is said once there is room", async () => {
  const talker = `
    import { writeFileSync } from "node:fs";
    let line = 0;
    const talk = () => {
      for (let each = 0; each < 1000; each++) console.log("line " + ++line + " ${"x".repeat(1000)}");
      writeFileSync("count", String(line));
      if (line < 100_000) setTimeout(talk);
    };
    export default { startup: () => void talk() };`;
  await using it = await blocked({
    services: { talker: { entrypoint: "./talker.ts" } },
    files: { "talker.ts": talker },
  });
  const { runtime, origin } = it;
  await until(() => counted(runtime) === 100_000);
  assert.equal(await ask(`${origin}/health`), 200);
  assert.ok(rssMib(runtime.pid) < 250, `${rssMib(runtime.pid)} MiB`);
  const records = it.read("haraka");
  await runtime.stop();
  const said = (await records).map(({ message }) => String(message));
  const [, dropped] =
    /^(\d+) lines were dropped: /.exec(said.find((text) => text.includes("dropped")) ?? "") ?? [];
  assert.ok(Number(dropped) > 50_000, said.join("\n"));
});

test("a stop ends with the budget when nobody reads, and says how much was lost", async () => {
  await using it = await blocked({ budget: "1s" });
  await standsStill(it.runtime);
  const { code, stderr } = await it.runtime.stop();
  assert.equal(code, 0);
  assert.match(stderr, /^haraka: \d+ bytes of output were lost: nobody read them in time\n$/);
});

test("a second signal ends it at once when nobody reads", async () => {
  await using it = await blocked({});
  const { runtime, origin } = it;
  await standsStill(runtime);
  runtime.signal("SIGTERM");
  // The port closes when everything has stopped: now only the output is left.
  await until(async () => (await ask(`${origin}/health`)) === undefined);
  const { code, stderr } = await runtime.signal("SIGTERM").ended;
  assert.equal(code, 143);
  assert.match(stderr, /bytes of output were lost.*\nharaka: SIGTERM a second time\n$/);
});

for (const [name, words] of Object.entries(JAVASCRIPT_RUNTIMES)) {
  test(`a stop ends also when standard error is the same pipe, under ${name}`, async () => {
    const program = [...words, join(root, "src/main.ts")];
    await using it = await blocked({ budget: "1s", both: true, program });
    await standsStill(it.runtime);
    assert.equal((await it.runtime.stop()).code, 0);
  });

  test(`so does a process.exit in a module, under ${name}`, async () => {
    const leaver = `export default { startup: () => void process.once("SIGUSR1", () => process.exit(7)) };`;
    await using it = await blocked({
      both: true,
      services: { ...floods, counting, leaver: { entrypoint: "./leaver.ts" } },
      files: { "leaver.ts": leaver },
      program: [...words, join(root, "src/main.ts")],
    });
    await standsStill(it.runtime);
    assert.equal((await it.runtime.signal("SIGUSR1").ended).code, 7);
  });
}

test("when the reader goes away the services go on, it is said once, and a stop is clean", async () => {
  const config = {
    runtime: { shutdown: { drain: "0s" } },
    http: { host: "127.0.0.1" },
    services: { counting },
  };
  await using runtime = start({ files: { "runtime.yaml": JSON.stringify(config) } });
  const origin = await runtime.url();
  await runtime.started();
  runtime.closeStdout();
  const seen = counted(runtime);
  await until(() => counted(runtime) > seen + 1000);
  assert.equal(await ask(`${origin}/health/ready`), 200);
  const { code, stderr } = await runtime.stop();
  assert.deepEqual(
    { code, stderr },
    { code: 0, stderr: "haraka: nobody reads the output any more (EPIPE): going on without it\n" },
  );
});
