// rolling: requests that fail while two instances behind HAProxy are restarted in turn, under load. For comparison the same
// with a bare server that stops in the ways people write by hand. The floor is none.
import { join } from "node:path";
import { Haproxy } from "../test/e2e/support/haproxy.ts";
import type { Row } from "./row.ts";
import { executable, freePort, freshFolder, haraka, tool } from "./workshop.ts";

const CONNECTIONS = 32;
const RESTARTS = 20;
const REQUESTS = 100_000;
/** Enough to see how many; they lose more than a few. */
const REQUESTS_COMPARED = 35_000;

/** So long after the start the proxy has checked everybody several times. */
const STEADY_S = 2;

const STYLES = [
  { name: "process.exit", style: "exit" },
  { name: "server.stop()", style: "stop" },
  { name: "503 and 200 ms", style: "200" },
  { name: "503 and 1.5 s", style: "1500" },
] as const;

export const rolling: Row = {
  name: "rolling",
  unit: "failed",
  target: { valueMax: 0 },
  cost: "requests that were sent before the proxy knew, and that nobody answered.",
  async measure() {
    const env = { HARAKA_CONFIG: join(import.meta.dir, "rolling/runtime.yaml") };
    const product = await roll({ command: [await haraka(), "run"], env }, REQUESTS);
    const bare = [await executable("stop-style")];
    const compared: string[] = [];
    for (const { name, style } of STYLES) {
      const { failed, requests } = await roll({ command: bare, env: { STYLE: style } }, REQUESTS_COMPARED);
      compared.push(`${name} ${failed} of ${requests}`);
    }
    const note = `of ${product.requests} in ${RESTARTS} restarts; bare: ${compared.join(", ")}`;
    return { value: product.failed, floor: 0, note };
  },
};

interface Contender {
  command: readonly string[];
  env: Readonly<Record<string, string>>;
}

interface Tally {
  requests: number;
  failed: number;
}

/** At least 20 restarts, and as many more as it takes for so many requests. */
async function roll(contender: Contender, requestsMin: number): Promise<Tally> {
  const [wrk, program] = [tool("wrk"), tool("haproxy")];
  const ports = [await freePort(), await freePort()];
  const instances = new Map(ports.map((port) => [port, start(contender, port)]));
  try {
    await using haproxy = await Haproxy.start(program, ports);
    for (const port of ports) await haproxy.up(port, { forS: STEADY_S });
    const load = Bun.spawn([wrk, "-t1", `-c${CONNECTIONS}`, "-d1h", haproxy.url], { stdout: "pipe" });
    for (let turn = 0; turn < RESTARTS || (await haproxy.requests()) < requestsMin; turn++) {
      const port = ports[turn % 2] ?? 0;
      const instance = instances.get(port);
      instance?.kill("SIGTERM");
      await instance?.exited;
      instances.set(port, start(contender, port));
      await haproxy.up(port);
    }
    load.kill("SIGINT");
    return tallyOf(await new Response(load.stdout).text());
  } finally {
    for (const instance of instances.values()) instance.kill("SIGKILL");
  }
}

function start({ command, env }: Contender, port: number): Bun.Subprocess {
  return Bun.spawn([...command], {
    // Two runtimes have two state folders.
    env: { ...process.env, ...env, PORT: String(port), HARAKA_DATA: freshFolder(`rolling-${port}`) },
    stdout: "ignore",
    stderr: "inherit",
  });
}

/** What wrk says: errors of sockets, and answers that are none of 2xx and 3xx. */
function tallyOf(output: string): Tally {
  const requests = /(\d+) requests in/.exec(output)?.[1];
  if (requests === undefined) throw new Error(`cannot measure: wrk said\n${output}`);
  const numbers = /Socket errors: (.*)/.exec(output)?.[1]?.match(/\d+/g) ?? [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? "0";
  const failed = [...numbers, refused].reduce((sum, count) => sum + Number(count), 0);
  return { requests: Number(requests), failed };
}
