// The verbs that talk to a running runtime while somebody is at work on its config: they need of it only where the runtime is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "./support/ports.ts";
import { haraka, type Outcome, start } from "./support/runtime.ts";

const SOUND = `control: { socket: "\${NAME:-own}.sock" }\nservices: { a: { command: [sleep, "1000"] } }\n`;
for (const [what, broken] of [
  ["needs a variable that is not set", SOUND.replace("1000", "${HERE_ONLY:?give it}")],
  ["has an unknown key", `${SOUND}nonsense: 1\n`],
  ["is no YAML any more", `${SOUND}services: [\n`],
  ["names an envFile that is gone", SOUND.replace("command:", "envFile: gone.env, command:")],
] as const) {
  test(`a config that ${what} is no reason not to find the runtime`, async () => {
    const port = await freePort();
    const env = { PORT: String(port) };
    const files = { "runtime.yaml": SOUND };
    await using runtime = await start({ files, env }).started();
    runtime.write("runtime.yaml", broken);
    const beside = (...args: string[]): Promise<Outcome> => haraka({ args, cwd: runtime.folder, env });
    const status = await beside("status", "a", "--json");
    assert.deepEqual([status.code, status.stderr], [0, ""]);
    assert.equal(JSON.parse(status.stdout).runtime.pid, runtime.pid);
    assert.equal((await beside("health")).stdout, "healthy\n");
    runtime.write("runtime.yaml", broken.replace(/socket: [^ ]+/, "socket: other.sock"));
    assert.equal((await beside("health")).stdout, "healthy\n", "by the port");
    const lost = await beside("status");
    assert.equal(lost.code, 2);
    assert.match(
      lost.stderr,
      /^haraka: cannot read the config, and nobody answers at \/.*\/data\/other\.sock; correct it, or name the runtime's socket with --socket PATH or HARAKA_SOCKET:\nruntime\.yaml:\d+:\d+ .+\n/,
    );
    await runtime.stop();
    const nobody = await beside("health");
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /cannot read the config, .* --socket PATH .*:\nruntime\.yaml:/);
  });
}

test("a config that is wrong and has no socket says both, and how to name one", async () => {
  const port = await freePort();
  const env = { PORT: String(port) };
  const files = { "runtime.yaml": SOUND };
  await using runtime = await start({ files, env }).started();
  runtime.write("runtime.yaml", `control: { socket: false }\nservices: { a: { comand: [x] } }\n`);
  const beside = (...args: string[]): Promise<Outcome> => haraka({ args, cwd: runtime.folder, env });
  const { code, stderr } = await beside("status");
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^haraka: cannot read the config, which has control\.socket: false as far as can be told; correct it, or name the runtime's socket with --socket PATH or HARAKA_SOCKET:\nruntime\.yaml:2:\d+ .*comand/,
  );
  assert.equal((await beside("status", "--socket", "data/own.sock")).code, 0);
  assert.equal((await beside("health")).stdout, "healthy\n", "by the port");
});
