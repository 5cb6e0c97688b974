// Probes of processes in a config, from the file to the exit: commands, a newline on a descriptor, and systemd's protocol.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { root } from "./support/binary.ts";
import { start } from "./support/runtime.ts";

const client = `${process.execPath} ${join(root, "test/fixtures/notify-client.ts")} send`;
const say = (...messages: string[]): string =>
  `${client} ${messages.map((text) => `'${JSON.stringify(text)}'`).join(" ")}`;
/** A config of these services, each a script for the shell. */
const configOf = (
  services: Record<string, { script: string; [key: string]: unknown }>,
): Record<string, string> => ({
  "runtime.yaml": JSON.stringify({
    services: Object.fromEntries(
      Object.entries(services).map(([name, { script, ...rest }]) => [
        name,
        { command: ["sh", "-c", script], ...rest },
      ]),
    ),
  }),
});

test("exec: ready once the command ends with 0, and until then the reason is its last line", async () => {
  const exec = "[ -e go ] || { echo still cold; exit 7; }";
  const files = configOf({
    app: {
      script: "until [ -e go ]; do sleep 0.01; done; sleep 60",
      readiness: { exec: ["sh", "-c", exec], interval: "20ms" },
    },
  });
  await using runtime = start({ files });
  const blocked = async (): Promise<string> =>
    JSON.stringify(await (await runtime.get("/health/ready")).json());
  while (!(await blocked()).includes("still cold"));
  assert.match(await blocked(), /\\"sh\\" ended with 7: still cold/);
  assert.deepEqual(runtime.messages("app", "stdout"), []);
  await Bun.write(join(runtime.folder, "go"), "");
  await runtime.record("app", "ready");
  assert.equal((await runtime.stop()).code, 0);
});

test("notificationFd: ready at the newline, for who depends on it too", async () => {
  const files = configOf({
    db: { script: "until [ -e go ]; do sleep 0.01; done; echo said; echo >&3; sleep 60", notificationFd: 3 },
    app: { script: "echo up; sleep 60", dependencies: ["db"] },
  });
  await using runtime = start({ files });
  await runtime.url();
  await Bun.write(join(runtime.folder, "go"), "");
  await runtime.started();
  await runtime.record("db", "said");
  await runtime.record("app", "up");
  assert.ok(runtime.whoBecame("ready").includes("db"));
  assert.equal((await runtime.stop()).code, 0);
});

test("sd_notify: ready at READY=1, restarted when no sign of life comes, and left alone while it does", async () => {
  // `$$$$` is `$$` once the config is read. Only the second one speaks on.
  const feed = `while ${say("WATCHDOG=1")}; do echo fed; done`;
  const files = configOf({
    app: {
      script: `echo up $$$$; ${say("STATUS=warming up", "READY=1")}; [ -e again ] && ${feed}; : >again; sleep 60`,
      readiness: { notify: true },
      liveness: { notify: true, interval: "500ms", failureThreshold: 2 },
      restart: "always",
    },
  });
  await using runtime = start({ files });
  const { pid } = await runtime.record("app", "ready");
  await runtime.record("app", /no WATCHDOG=1 for \d+ms, expected every 500ms/);
  await runtime.record("app", new RegExp(`^up (?!${pid}$)\\d+$`));
  await runtime.record("app", "fed");
  assert.equal((await runtime.stop()).code, 0);
  assert.equal(runtime.messages("app", "stdout").filter((line) => String(line).startsWith("up")).length, 2);
});
